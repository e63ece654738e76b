#include "environ.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"

/* A member of an event as the value of a variable; false where it has none. */
static bool put_member(struct buf *b, const struct json_doc *d, const char *key)
{
	const struct json_value *v = json_find(d, key);
	size_t begin = b->len;
	struct err e;

	if (v == NULL || v->type != JSON_STRING || json_unescape(b, v->p + 1, v->len - 2, &e) < 0 ||
	    memchr(b->data + begin, '\0', b->len - begin) != NULL) {
		b->len = begin;
		return false;
	}
	return true;
}

static void begin_variable(struct environ *v, const char *name)
{
	assert(v->n < ENVIRON_MAX);
	v->at[v->n++] = v->text.len;
	buf_add_str(&v->text, name);
}

/* Only of a single event: of many there is no one cause. */
static void add_cause(struct environ *v, struct span line)
{
	struct json_doc d;
	struct err e;

	if (json_scan(line.p, line.len, &d, &e) < 0)
		return;
	begin_variable(v, "EVLOG_CORRELATION=");
	if (!put_member(&v->text, &d, "correlationid"))
		(void)put_member(&v->text, &d, "id");
	buf_add_char(&v->text, '\0');
	begin_variable(v, "EVLOG_CAUSATION=");
	(void)put_member(&v->text, &d, "id");
	buf_add_char(&v->text, '\0');
}

int environ_make(struct environ *v, const struct evlog *s, const struct feed_batch *b,
                 struct err *e)
{
	buf_clear(&v->text);
	v->n = 0;
	begin_variable(v, "EVLOG_STORE=");
	buf_add_str(&v->text, evlog_path(s));
	buf_add_char(&v->text, '\0');
	begin_variable(v, "EVLOG_FIRST=");
	buf_printf(&v->text, "%020ju%c", (uintmax_t)b->events[0].seq, '\0');
	begin_variable(v, "EVLOG_LAST=");
	buf_printf(&v->text, "%020ju%c", (uintmax_t)b->events[b->count - 1].seq, '\0');
	if (b->count == 1)
		add_cause(v, feed_line(b, 0));
	if (buf_ok(&v->text, e) < 0)
		return -1;
	for (size_t i = 0; i < v->n; i++)
		v->v[i] = v->text.data + v->at[i];
	v->v[v->n] = NULL;
	return 0;
}

void environ_done(struct environ *v)
{
	buf_done(&v->text);
}
