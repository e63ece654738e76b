/* api_metrics: /metrics, /healthz and /readyz. */
#include "api_route.h"
#include "metrics.h"

#define PROMETHEUS_TEXT "text/plain; version=0.0.4; charset=utf-8"

void api_answer_prometheus(const struct api_request *r)
{
	struct api_head h = {0};
	struct buf text = {0};
	struct err e;

	metrics_put_prometheus(&text, r->api);
	api_head_add(&h, "Content-Type", PROMETHEUS_TEXT);
	if (buf_ok(&text, &e) < 0)
		api_text(r->call, 500, e.msg);
	else
		api_send(r->call, 200, &h, (struct span){text.data, text.len});
	buf_done(&text);
}

void api_metrics(const struct api_request *r)
{
	if (!api_refuses_method(r, "GET"))
		api_answer_prometheus(r);
}

/* healthz: the process serves.  readyz: it is worth asking, because somebody leads. */
void api_health(const struct api_request *r)
{
	bool asks_ready = r->path.p[0] == 'r';
	struct raft_view v;

	if (api_refuses_method(r, "GET"))
		return;
	raft_look(node_raft(r->api->node), &v);
	if (asks_ready && r->api->draining)
		api_text(r->call, 503, "stopping");
	else if (asks_ready && v.leader == 0)
		api_text(r->call, 503, "no leader");
	else
		api_text(r->call, 200, "ok");
}
