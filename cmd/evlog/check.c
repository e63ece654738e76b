/* check: the state of a store: stat, verify, repair. */
#include <string.h>

#include "base/json_out.h"
#include "base/text.h"
#include "evlog.h"
#include "evlog/admin.h"

const struct opt stat_options[] = {
    {OPT_JSON, "json", NULL, NULL, "as one JSON object"},
    {0},
};

const struct opt verify_options[] = {
    {OPT_DEEP, "deep", NULL, NULL, "also versions, pointers between events, and the index"},
    {'q', "quiet", NULL, NULL, "print nothing, the exit status tells"},
    {0},
};

/* ---- Findings: a line of JSON each; what does not apply is left out. */

static void put_finding(struct buf *b, const struct finding *f)
{
	const struct damage *where = &f->where;

	buf_add_char(b, '{');
	json_out_key(b, "kind");
	json_out_string(b, finding_name(f->kind), strlen(finding_name(f->kind)));
	if (where->file[0] != '\0') {
		json_out_key(b, "file");
		json_out_string(b, where->file, strlen(where->file));
		json_out_key(b, "offset");
		json_out_u64_string(b, where->offset);
		json_out_key(b, "bytes");
		json_out_u64_string(b, where->bytes);
	}
	if (where->first > 0 && where->first <= where->last) {
		json_out_key(b, "first");
		json_out_u64_string(b, where->first);
		json_out_key(b, "last");
		json_out_u64_string(b, where->last);
	}
	json_out_key(b, "text");
	json_out_string(b, f->text, strlen(f->text));
	buf_add_str(b, "}\n");
}

static int print_finding(const struct finding *f, void *arg, struct err *e)
{
	struct buf b = {0};
	int r;

	(void)arg;
	put_finding(&b, f);
	r = buf_ok(&b, e);
	if (r == 0)
		tool_write(b.data, b.len);
	buf_done(&b);
	return r;
}

static int ignore_finding(const struct finding *f, void *arg, struct err *e)
{
	(void)f;
	(void)arg;
	(void)e;
	return 0;
}

int verify_run(struct opts *o)
{
	struct place place = {0};
	finding_fn *show = print_finding;
	bool deep = false;
	struct evlog *s;
	struct err e;
	int64_t faults;

	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case OPT_DEEP:
			deep = true;
			break;
		case 'q':
			show = ignore_finding;
			break;
		default:
			place_option(&place, o, id);
		}
	opts_need(o, 0, 0, NULL);
	s = place_open_as_is(&place);
	faults = evlog_verify(s, deep, show, NULL, &e);
	if (faults < 0)
		fail(&e);
	evlog_close(s);
	return faults > 0 ? STATUS_DAMAGED : TOOL_OK;
}

int repair_run(struct opts *o)
{
	struct evlog *s = place_open_plain(o, 0, NULL);
	struct err e;

	if (evlog_repair(s, print_finding, NULL, &e) < 0)
		fail(&e);
	evlog_close(s);
	return TOOL_OK;
}

/* ---- stat: one list of fields, shown in two ways. */

enum field_kind { FIELD_TEXT, FIELD_NUMBER, FIELD_SEQUENCE, FIELD_TIME, FIELD_FLAG, FIELD_ERROR };

struct field {
	const char *name;
	enum field_kind kind;
	const char *text;
	uint64_t number;
};

#define FIELDS 20

static void list_fields(const struct evlog_stat *st, struct field ret[FIELDS])
{
	const struct field fields[FIELDS] = {
	    {"uuid", FIELD_TEXT, st->uuid, 0},
	    {"events", FIELD_NUMBER, NULL, st->events},
	    {"removed", FIELD_NUMBER, NULL, st->events_removed},
	    {"streams", FIELD_NUMBER, NULL, st->streams},
	    {"segments", FIELD_NUMBER, NULL, st->segments},
	    {"segment_size", FIELD_NUMBER, NULL, st->segment_size},
	    {"log_bytes", FIELD_NUMBER, NULL, st->log_bytes},
	    {"index_bytes", FIELD_NUMBER, NULL, st->index_bytes},
	    {"last_sequence", FIELD_SEQUENCE, NULL, st->last_sequence},
	    {"durable_sequence", FIELD_SEQUENCE, NULL, st->durable_sequence},
	    {"first_time", FIELD_TIME, NULL, st->first_time_ns},
	    {"last_time", FIELD_TIME, NULL, st->last_time_ns},
	    {"damaged", FIELD_FLAG, NULL, st->damaged},
	    {"poison", FIELD_ERROR, NULL, st->poison},
	    {"lost_events", FIELD_NUMBER, NULL, st->lost_events},
	    {"lost_open", FIELD_NUMBER, NULL, st->lost_open},
	    {"commits", FIELD_NUMBER, NULL, st->commits},
	    {"syncs", FIELD_NUMBER, NULL, st->syncs},
	    {"conflicts", FIELD_NUMBER, NULL, st->conflicts},
	    {"rolls", FIELD_NUMBER, NULL, st->rolls},
	};

	memcpy(ret, fields, sizeof(fields));
}

static void put_time(struct buf *b, uint64_t ns)
{
	char time[TEXT_TIME_LEN];

	text_put_time(time, (int64_t)ns);
	buf_add(b, time, sizeof(time));
}

static void put_plain(struct buf *b, const struct field *f)
{
	switch (f->kind) {
	case FIELD_TEXT:
		buf_add_str(b, f->text);
		break;
	case FIELD_NUMBER:
		json_out_u64(b, f->number);
		break;
	case FIELD_SEQUENCE:
		buf_printf(b, "%020ju", (uintmax_t)f->number);
		break;
	case FIELD_TIME:
		if (f->number > 0)
			put_time(b, f->number);
		else
			buf_add_char(b, '-');
		break;
	case FIELD_FLAG:
		buf_add_str(b, f->number != 0 ? "yes" : "no");
		break;
	case FIELD_ERROR:
		buf_add_str(b, f->number != 0 ? strerror((int)f->number) : "no");
		break;
	}
}

/* As in plain text, but absent times are null, flags are words of JSON, an errno is its number. */
static void put_json(struct buf *b, const struct field *f)
{
	json_out_key(b, f->name);
	if (f->kind == FIELD_NUMBER || f->kind == FIELD_ERROR) {
		json_out_u64(b, f->number);
	} else if (f->kind == FIELD_FLAG) {
		buf_add_str(b, f->number != 0 ? "true" : "false");
	} else if (f->kind == FIELD_TIME && f->number == 0) {
		buf_add_str(b, "null");
	} else {
		buf_add_char(b, '"');
		put_plain(b, f);
		buf_add_char(b, '"');
	}
}

static int put_lost_plain(const struct finding *f, void *arg, struct err *e)
{
	struct buf *b = arg;

	buf_printf(b, "%-16s %ju-%ju\n", "lost", (uintmax_t)f->where.first,
	           (uintmax_t)f->where.last);
	return buf_ok(b, e);
}

static int put_lost_json(const struct finding *f, void *arg, struct err *e)
{
	struct buf *b = arg;

	if (b->data[b->len - 1] != '[')
		buf_add_char(b, ',');
	buf_add_char(b, '{');
	json_out_key(b, "first");
	json_out_u64_string(b, f->where.first);
	json_out_key(b, "last");
	json_out_u64_string(b, f->where.last);
	buf_add_char(b, '}');
	return buf_ok(b, e);
}

static int put_stat(struct buf *b, struct evlog *s, bool json, struct err *e)
{
	struct field fields[FIELDS];
	struct evlog_stat st;

	if (evlog_get_stat(s, &st, e) < 0)
		return -1;
	list_fields(&st, fields);
	if (!json) {
		for (size_t i = 0; i < FIELDS; i++) {
			buf_printf(b, "%-16s ", fields[i].name);
			put_plain(b, &fields[i]);
			buf_add_char(b, '\n');
		}
		return evlog_each_lost(s, put_lost_plain, b, e);
	}
	buf_add_char(b, '{');
	for (size_t i = 0; i < FIELDS; i++)
		put_json(b, &fields[i]);
	buf_add_str(b, ",\"lost\":[");
	if (buf_ok(b, e) < 0 || evlog_each_lost(s, put_lost_json, b, e) < 0)
		return -1;
	buf_add_str(b, "]}\n");
	return buf_ok(b, e);
}

int stat_run(struct opts *o)
{
	struct place place = {0};
	struct buf b = {0};
	bool json = false;
	struct evlog *s;
	struct err e;

	for (int id; (id = opts_next(o)) != -1;)
		if (id == OPT_JSON)
			json = true;
		else
			place_option(&place, o, id);
	opts_need(o, 0, 0, NULL);
	s = place_open(&place);
	if (put_stat(&b, s, json, &e) < 0)
		fail(&e);
	tool_write(b.data, b.len);
	evlog_close(s);
	buf_done(&b);
	return TOOL_OK;
}
