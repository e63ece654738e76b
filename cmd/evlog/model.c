/* model: where the model of a projection is, and query, which looks into it. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/json_out.h"
#include "evlog/modelref.h"
#include "evlog/row.h"
#include "evlog/rowdir.h"
#include "helper.h"
#include "os/clock.h"
#include "os/wait.h"
#include "project.h"

#define TIMEOUT_DEFAULT_NS (10 * CLOCK_NS_PER_SEC)
#define NAP_MIN_NS         (CLOCK_NS_PER_MS)
#define NAP_MAX_NS         (20 * CLOCK_NS_PER_MS)

const struct opt query_options[] = {
    {OPT_MIN_SEQ, "min-seq", "SEQUENCE", NULL, "wait until the model has this event"},
    {OPT_TIMEOUT, "timeout", "DURATION", NULL, "wait at most so long (10s), then exit 75"},
    {0},
};

/* ---- Targets. */

enum target_kind target_parse(const char *into, const char **ret_rest)
{
	static const char *const prefixes[] = {"sqlite:", "file:", "cmd:"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t n = strlen(prefixes[i]);

		if (strncmp(into, prefixes[i], n) != 0)
			continue;
		if (into[n] == '\0')
			tool_usage("'%s': nothing behind the colon", into);
		*ret_rest = into + n;
		return (enum target_kind)i;
	}
	tool_usage("target '%s' is none of sqlite:DB, file:DIR, cmd:COMMAND", into);
}

int target_no_step(struct project *p)
{
	(void)p;
	return PROJECT_ON;
}

int target_no_begin(struct project *p, const struct change *c)
{
	(void)c;
	return target_no_step(p);
}

void target_no_poke(struct project *p)
{
	(void)p;
}

/* Symbolic links are followed; what it is itself may not be there yet. */
void target_path(const char *path, struct buf *ret)
{
	char real[PATH_MAX];
	size_t len = strlen(path);
	char *copy;
	char *slash;

	if (realpath(path, real) != NULL) {
		buf_add(ret, real, strlen(real) + 1);
		return;
	}
	while (len > 1 && path[len - 1] == '/')
		len--;
	copy = strndup(path, len);
	if (copy == NULL)
		tool_dief(TOOL_OSERR, "out of memory");
	slash = strrchr(copy, '/');
	if (slash != NULL)
		*slash = '\0';
	if (realpath(slash == NULL ? "." : slash == copy ? "/" : copy, real) == NULL)
		tool_dief(TOOL_CANTCREAT, "'%s': %s", path, strerror(errno));
	buf_add_str(ret, strcmp(real, "/") == 0 ? "" : real);
	buf_add_char(ret, '/');
	buf_add_str(ret, slash != NULL ? slash + 1 : copy);
	buf_add_char(ret, '\0');
	free(copy);
}

/* ---- query */

struct question {
	struct place place;
	const char *name;
	char *table; /* NULL: the only one */
	struct span *keys;
	size_t key_count; /* 0: only wait */
	bool has_min;
	uint64_t min_seq;
	int64_t timeout_ns;
	/* At work: */
	struct evlog *s;
	char store[33];
	enum target_kind kind;
	const char *path;
	struct helper helper;
	struct buf row;
	struct mark mark;
};

/* PROJECT_ON: the mark is known, and with `want` the row, when there is one. */
static int ask_sqlite(struct question *q, bool want)
{
	struct buf b = {0};
	struct json_doc d;
	const struct json_value *row;
	struct err e;
	int status;

	if (!q->helper.running && helper_start(&q->helper, q->path, NULL, 0, &e) < 0) {
		tool_warn("%s", e.msg);
		return TOOL_OSERR;
	}
	buf_add_str(&b, "{\"do\":\"query\"");
	helper_put_text(&b, "name", q->name, strlen(q->name));
	helper_put_text(&b, "store", q->store, strlen(q->store));
	if (q->table != NULL)
		helper_put_text(&b, "table", q->table, strlen(q->table));
	if (want && q->key_count > 0)
		buf_add_str(&b, ",\"key\":[");
	for (size_t i = 0; want && i < q->key_count; i++) {
		if (i > 0)
			buf_add_char(&b, ',');
		json_out_string(&b, q->keys[i].p, q->keys[i].len);
	}
	buf_add_str(&b, want && q->key_count > 0 ? "]}\n" : "}\n");
	coproc_send(&q->helper.child, b.data, b.len);
	buf_done(&b);
	if (helper_answer(&q->helper, &d, &status, WAIT_FOREVER, &e) != COPROC_READY)
		return fail_soft(&e);
	if (status == PROJECT_ON)
		status = helper_get_mark(&d, &q->mark);
	row = json_find(&d, "row");
	if (status == PROJECT_ON && row != NULL)
		buf_add(&q->row, row->p, row->len);
	return status;
}

/* The file name of the only table, when none is named. */
static int find_table(struct question *q)
{
	struct buf names = {0};
	struct buf list = {0};
	struct err e;
	size_t n = 0;
	int status = PROJECT_ON;

	if (rowdir_tables(q->path, &names, &e) < 0)
		return fail_soft(&e);
	for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1, n++)
		buf_printf(&list, "%s%s", n > 0 ? ", " : "", names.data + at);
	buf_add_char(&list, '\0');
	if (n == 1)
		q->table = strdup(names.data);
	else if (n > 1)
		tool_warn("which table? TABLE/KEY, and the tables are %s", list.data);
	if (n > 1 || (n == 1 && q->table == NULL))
		status = n > 1 ? TOOL_USAGE : TOOL_OSERR;
	buf_done(&names);
	buf_done(&list);
	return status;
}

static int read_file_row(struct question *q)
{
	struct buf path = {0};
	bool named = q->table != NULL;
	struct err e;
	int status = named ? PROJECT_ON : find_table(q);

	if (status != PROJECT_ON || q->table == NULL)
		return status;
	if (named) {
		row_put_path_of(&path, span_str(q->table), q->keys, q->key_count);
	} else { /* which is a file name already */
		struct buf whole = {0};

		row_put_path_of(&whole, (struct span){"x", 1}, q->keys, q->key_count);
		buf_add_str(&path, q->table);
		buf_add(&path, whole.data + 1, whole.len - 1);
		buf_done(&whole);
	}
	if (buf_ok(&path, &e) < 0 ||
	    rowdir_read_row(q->path, (struct span){path.data, path.len}, &q->row, &e) < 0)
		status = fail_soft(&e);
	buf_done(&path);
	return status;
}

static int ask_file(struct question *q, bool want)
{
	const struct rowdir_owner owner = {.name = q->name, .store = q->store};
	struct err e;
	uint64_t in_files = 0;
	int r = rowdir_read_mark(q->path, &owner, &q->mark, &in_files, &e);

	if (r < 0)
		return fail_soft(&e);
	if (r == 0)
		q->mark = (struct mark){.sequence = 0};
	/* Who only waits looks into the files by himself, later. */
	if (q->key_count == 0)
		q->mark.sequence = in_files;
	return want && r > 0 && q->key_count > 0 ? read_file_row(q) : PROJECT_ON;
}

static int ask_cursor(struct question *q)
{
	const struct cursor_id id = {.name = q->name};
	struct cursor_state state = {.sequence = 0};
	struct err e;

	if (q->key_count > 0) {
		tool_warn("what a command has made of the events, only the command knows: query "
		          "can wait for '%s', without KEY",
		          q->name);
		return TOOL_CONFIG;
	}
	if (cursor_read(q->s, &id, &state, &e) < 0)
		return fail_soft(&e);
	q->mark.sequence = state.sequence;
	return PROJECT_ON;
}

static int ask(struct question *q, bool want)
{
	switch (q->kind) {
	case TARGET_SQLITE:
		return ask_sqlite(q, want);
	case TARGET_FILE:
		return ask_file(q, want);
	default:
		return ask_cursor(q);
	}
}

/* Until the model has the event; with the row of that moment. */
static int wait_for(struct question *q)
{
	int64_t deadline = clock_mono_ns() + q->timeout_ns;
	int64_t pause = NAP_MIN_NS;
	struct err e;

	for (;;) {
		int status;

		buf_clear(&q->row);
		status = ask(q, true);
		if (status != PROJECT_ON || !q->has_min || q->mark.sequence >= q->min_seq)
			return status;
		if (clock_mono_ns() >= deadline) {
			tool_warn("%s: the model is at %ju and has not come to %ju in time; is "
			          "'evlog project %s' running?",
			          q->name, (uintmax_t)q->mark.sequence, (uintmax_t)q->min_seq,
			          q->name);
			return TOOL_TEMPFAIL;
		}
		/* Nothing tells that a model has moved. */
		if (wait_readable(-1, clock_mono_ns() + pause, &e) < 0)
			return fail_soft(&e);
		pause = pause < NAP_MAX_NS / 2 ? 2 * pause : NAP_MAX_NS;
	}
}

static void take_operands(struct question *q, const struct opts *o)
{
	const char *slash;

	q->name = o->operands[0];
	q->key_count = (size_t)o->operand_count - 1;
	if (q->key_count > OUTPUT_KEYS_MAX)
		tool_usage("a key has at most %u columns", OUTPUT_KEYS_MAX);
	q->keys = tool_alloc(q->key_count + 1, sizeof(*q->keys));
	for (size_t i = 0; i < q->key_count; i++)
		q->keys[i] = span_str(o->operands[i + 1]);
	slash = q->key_count > 0 ? strchr(q->keys[0].p, '/') : NULL;
	if (slash == NULL)
		return;
	if (slash == q->keys[0].p)
		tool_usage("'%s': a table has a name", slash);
	q->table = strndup(q->keys[0].p, (size_t)(slash - q->keys[0].p));
	if (q->table == NULL)
		tool_dief(TOOL_OSERR, "out of memory");
	q->keys[0] = span_str(slash + 1);
}

static void take_options(struct question *q, struct opts *o)
{
	struct err e;

	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case OPT_MIN_SEQ:
			q->min_seq = opts_u64(o, 0, FRAME_SEQ_MAX);
			q->has_min = true;
			break;
		case OPT_TIMEOUT:
			q->timeout_ns = opts_duration_ns(o);
			break;
		default:
			place_option(&q->place, o, id);
		}
	opts_need(o, 1, -1, "NAME");
	take_operands(q, o);
	if (cursor_check_name(q->name, &e) < 0)
		tool_usage("%s", e.msg);
	if (q->key_count == 0 && !q->has_min)
		tool_usage("missing KEY or --min-seq");
}

int query_run(struct opts *o)
{
	struct question q = {.timeout_ns = TIMEOUT_DEFAULT_NS};
	struct buf target = {0};
	struct err e;
	int r;
	int status;

	take_options(&q, o);
	q.s = place_open(&q.place);
	id_put_hex(q.store, evlog_uuid(q.s));
	r = modelref_read(q.s, q.name, &target, &e);
	if (r < 0)
		fail(&e);
	if (r == 0)
		tool_dief(TOOL_NOINPUT, "there is no projection '%s'", q.name);
	q.kind = target_parse(target.data, &q.path);
	status = wait_for(&q);
	if (status == PROJECT_ON && q.row.len > 0) {
		tool_write(q.row.data, q.row.len);
		tool_print("\n");
	}
	if (status == PROJECT_ON)
		status = q.key_count > 0 && q.row.len == 0 ? TOOL_NO : TOOL_OK;
	helper_done(&q.helper);
	buf_done(&target);
	buf_done(&q.row);
	free(q.keys);
	free(q.table);
	evlog_close(q.s);
	return status;
}
