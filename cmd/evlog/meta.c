/* meta: attributes that all events of an append get, from -m and from the environment. */
#include <errno.h>
#include <string.h>

#include "evlog.h"

#define TRACE_LEN 55 /* 00-TRACEID-PARENTID-FLAGS */

void meta_option(struct event_parser *p, const struct opts *o)
{
	const char *equals = strchr(o->arg, '=');
	struct buf name = {0};
	struct err e;

	if (equals == NULL)
		opts_bad(o, "'%s' is not NAME=VALUE", o->arg);
	buf_add(&name, o->arg, (size_t)(equals - o->arg));
	buf_add_char(&name, '\0');
	if (buf_ok(&name, &e) < 0 ||
	    event_common(p, name.data, equals + 1, strlen(equals + 1), &e) < 0)
		opts_bad(o, "%s", e.msg);
	buf_done(&name);
}

static bool is_hex(const char *p, size_t n)
{
	return strspn(p, "0123456789abcdef") >= n;
}

/* Is this a traceparent (W3C Trace Context, section 3.2)?  Versions after 00 may go on. */
static bool is_trace(const char *s)
{
	size_t len = strlen(s);

	if (len < TRACE_LEN || !is_hex(s, 2) || s[2] != '-' || !is_hex(s + 3, 32) || s[35] != '-' ||
	    !is_hex(s + 36, 16) || s[52] != '-' || !is_hex(s + 53, 2))
		return false;
	if (strspn(s + 3, "0") >= 32 || strspn(s + 36, "0") >= 16 || memcmp(s, "ff", 2) == 0)
		return false;
	return len == TRACE_LEN || (memcmp(s, "00", 2) != 0 && s[TRACE_LEN] == '-');
}

/* False when there is no such variable, or -m has said otherwise. */
static bool add_variable(struct event_parser *p, const char *attribute, const char *variable,
                         bool (*is_valid)(const char *))
{
	const char *value = tool_env(variable);
	struct err e;

	if (value == NULL || (is_valid != NULL && !is_valid(value)))
		return false;
	if (event_common(p, attribute, value, strlen(value), &e) == 0)
		return true;
	if (e.code != EEXIST)
		tool_dief(TOOL_CONFIG, "%s: %s", variable, e.msg);
	return false;
}

void meta_environment(struct event_parser *p)
{
	add_variable(p, "correlationid", "EVLOG_CORRELATION", NULL);
	add_variable(p, "causationid", "EVLOG_CAUSATION", NULL);
	if (add_variable(p, "traceparent", "TRACEPARENT", is_trace))
		add_variable(p, "tracestate", "TRACESTATE", NULL);
}
