/* api_status: /v1/status/...: the addresses that clients use; never an error, never a wait. */
#include <string.h>

#include "api_route.h"
#include "base/json_out.h"
#include "members.h"

static void leader(const struct api_request *r)
{
	struct buf json = {0};
	struct members m;
	const struct member *leads;
	const char *address = "";

	members_get(r->api, &m);
	leads = members_leader(&m);
	if (leads != NULL)
		address = leads->address;
	json_out_string(&json, address, strlen(address));
	api_answer_json(r, 200, 0, &json);
}

static void peers(const struct api_request *r)
{
	struct buf json = {0};
	struct members m;

	members_get(r->api, &m);
	buf_add_char(&json, '[');
	for (size_t i = 0; i < m.count; i++) {
		if (!m.member[i].is_voter)
			continue;
		if (json.len > 1)
			buf_add_char(&json, ',');
		json_out_string(&json, m.member[i].address, strlen(m.member[i].address));
	}
	buf_add_char(&json, ']');
	api_answer_json(r, 200, 0, &json);
}

void api_status(const struct api_request *r)
{
	static const struct api_route routes[] = {
	    {"leader", "GET", leader},
	    {"peers", "GET", peers},
	    {NULL, NULL, NULL},
	};

	api_serve(r, routes);
}
