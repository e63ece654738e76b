/*
 * journal: entries of systemd's journal as events, from the lines of `journalctl -o json`.
 *
 * An entry is an object with a "__CURSOR", which is its id for ever; so importing it again changes
 * nothing.  Its stream is the unit's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "evlog.h"

#define CURSOR "__CURSOR"

struct journal {
	struct json_doc doc;
	struct buf cursor, stream, attrs, data;
};

struct journal *journal_new(void)
{
	return tool_alloc(1, sizeof(struct journal));
}

void journal_free(struct journal *j)
{
	buf_done(&j->cursor);
	buf_done(&j->stream);
	buf_done(&j->attrs);
	buf_done(&j->data);
	free(j);
}

/* The text of a string; of anything else nothing (the journal has arrays for odd bytes). */
static int put_text(struct buf *b, const struct json_value *v, struct err *e)
{
	if (v == NULL || v->type != JSON_STRING)
		return 0;
	return json_unescape(b, v->p + 1, v->len - 2, e);
}

/* journal-UNIT, with '_' for what a name may not have. */
static int put_stream(struct journal *j, struct err *e)
{
	static const char *const sources[] = {"_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER"};
	struct buf *b = &j->stream;
	size_t begin;

	buf_clear(b);
	buf_add_str(b, "journal-");
	begin = b->len;
	for (size_t i = 0; i < 2 && b->len == begin; i++)
		if (put_text(b, json_find(&j->doc, sources[i]), e) < 0)
			return -1;
	if (b->len == begin)
		buf_add_str(b, "kernel");
	if (buf_ok(b, e) < 0)
		return -1;
	for (size_t i = begin; i < b->len; i++)
		if ((unsigned char)b->data[i] <= ' ' || strchr("/*\x7f", b->data[i]) != NULL)
			b->data[i] = '_';
	while (b->len > FRAME_NAME_MAX || !text_is_utf8(b->data, b->len))
		b->len--; /* a long name is cut, but not inside a character */
	return 0;
}

/* Microseconds since 1970, as an attribute. */
static int put_time(struct journal *j, struct err *e)
{
	const struct json_value *v = json_find(&j->doc, "__REALTIME_TIMESTAMP");
	char time[TEXT_TIME_LEN];
	uint64_t us;

	buf_clear(&j->attrs);
	if (v == NULL) {
		buf_add_char(&j->attrs, '-');
		return buf_ok(&j->attrs, e);
	}
	if (json_get_u64(v, &us, e) < 0 || us > INT64_MAX / 1000)
		return err_set(e, EBADMSG, "\"__REALTIME_TIMESTAMP\" must be microseconds");
	text_put_time(time, (int64_t)us * 1000);
	buf_printf(&j->attrs, "{\"time\":\"%.*s\"}", TEXT_TIME_LEN, time);
	return buf_ok(&j->attrs, e);
}

static struct span span_of(const struct buf *b)
{
	return (struct span){b->data, b->len};
}

static int make_event(struct journal *j, const struct json_value *cursor, struct event *ret,
                      struct err *e)
{
	static const char type[] = "JournalEntry";

	buf_clear(&j->cursor);
	buf_clear(&j->data);
	if (put_text(&j->cursor, cursor, e) < 0 || put_stream(j, e) < 0 || put_time(j, e) < 0)
		return -1;
	if (json_compact(&j->data, &j->doc.value) < 0)
		return buf_ok(&j->data, e);
	*ret = (struct event){.stream = span_of(&j->stream),
	                      .type = {type, sizeof(type) - 1},
	                      .id = span_of(&j->cursor),
	                      .id_given = true,
	                      .attrs = span_of(&j->attrs),
	                      .data = span_of(&j->data)};
	return evlog_check_name("\"" CURSOR "\"", ret->id.p, ret->id.len, e);
}

int journal_parse(struct journal *j, const char *line, size_t len, struct event *ret, struct err *e)
{
	const struct json_value *cursor;

	/* Most lines of an import are no entries, and need not be scanned twice. */
	if (memmem(line, len, CURSOR, strlen(CURSOR)) == NULL)
		return 0;
	if (json_scan(line, len, &j->doc, e) < 0)
		return -1;
	cursor = j->doc.value.type == JSON_OBJECT ? json_find(&j->doc, CURSOR) : NULL;
	if (cursor == NULL)
		return 0;
	return make_event(j, cursor, ret, e) < 0 ? -1 : 1;
}
