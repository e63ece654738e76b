/* kv: the verbs that read and write keys. */
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "os/clock.h"
#include "os/wait.h"
#include "raftctl.h"

const struct opt get_options[] = {
    {OPT_WAIT, "wait", "[DURATION]", NULL, "wait until it is there, at most that long"},
    {OPT_JSON, "json", NULL, NULL, "the whole entry as a line of JSON"},
    {0},
};
const struct opt put_options[] = {
    {OPT_TTL, "ttl", "DURATION", NULL, "delete it when it is not put again in that time"},
    {OPT_FLAGS, "flags", "N", NULL, "a number that is kept beside the value"},
    {0},
};
const struct opt cas_options[] = {
    {OPT_FLAGS, "flags", "N", NULL, "a number that is kept beside the value"},
    {0},
};
const struct opt del_options[] = {
    {'x', "expect", "INDEX", NULL, "only when this is its index"},
    {OPT_RECURSE, "recurse", NULL, NULL, "all keys that begin with it"},
    {OPT_ALL, "all", NULL, NULL, "all keys there are"},
    {0},
};
const struct opt ls_options[] = {
    {OPT_JSON, "json", NULL, NULL, "whole entries as lines of JSON"},
    {OPT_SEPARATOR, "separator", "TEXT", NULL, "cut keys behind it: one level of a tree"},
    {'0', "null", NULL, NULL, "records end in NUL"},
    {0},
};

#define KV "/v1/kv/"

/* No key is empty: the path would mean the list of all. */
static void check_key(const char *key)
{
	if (*key == '\0')
		tool_usage("the key is empty");
}

/* ---- get */

struct get {
	struct store st;
	const char *key;
	bool json, waits;
	int64_t wait_ns; /* -1: as long as it takes */
};

static void print_entry(const struct get *g, const struct http_in *in)
{
	struct entry e = {.index = 0};
	struct json_member m;
	struct json_each it;
	struct json_doc d;
	struct buf line = {0};

	answer_json(&g->st, in, &d);
	if (d.value.type != JSON_ARRAY || json_each_count(&d.value) != 1)
		answer_is_odd(&g->st, in);
	json_each_begin(&it, &d.value);
	(void)json_each_next(&it, &m);
	entry_read(&g->st, &m.value, &e);
	/* What is asked for is known, also where JSON cannot hold it; an empty value is none there.
	 */
	buf_clear(&e.key);
	buf_add_str(&e.key, g->key);
	e.has_value = true;
	entry_put(&line, &e, NULL);
	write_line(&line, '\n');
	entry_done(&e);
	buf_done(&line);
}

static void print_value(struct span value)
{
	bool unended = value.len > 0 && value.p[value.len - 1] != '\n';

	tool_write(value.p, value.len);
	if (unended && tool_is_terminal(STDOUT_FILENO))
		tool_write("\n", 1);
}

/* Its answer; NULL: it is not there. */
static const struct http_in *get_answer(struct get *g, struct ask *a)
{
	const struct http_in *in = NULL;
	struct block b = {.deadline_ns = WAIT_FOREVER};
	bool there = false;

	if (!g->waits) {
		in = store_ask(&g->st, a);
		return answer_is_there(&g->st, in) ? in : NULL;
	}
	if (g->wait_ns >= 0)
		b.deadline_ns = clock_mono_ns() + g->wait_ns;
	while (!there && store_block(&g->st, a, &b, &in))
		there = answer_is_there(&g->st, in);
	return there ? in : NULL;
}

static void get_take_options(struct get *g, struct opts *o)
{
	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case OPT_WAIT:
			g->waits = true;
			g->wait_ns = o->arg != NULL ? opts_duration_ns(o) : -1;
			break;
		case OPT_JSON:
			g->json = true;
			break;
		default:
			store_option(&g->st, o, id);
		}
	opts_need(o, 1, 1, "KEY");
	g->key = o->operands[0];
	check_key(g->key);
}

int get_run(struct opts *o)
{
	struct get g = {.json = false};
	struct ask a = {.writes = false};
	const struct http_in *in;

	get_take_options(&g, o);
	store_open(&g.st);
	ask_begin(&a, "GET", KV, span_of(g.key));
	if (!g.json)
		ask_param(&a, "raw", NULL);
	in = get_answer(&g, &a);
	if (in == NULL)
		say_no("no key '%s'", g.key);
	else if (g.json)
		print_entry(&g, in);
	else
		print_value(http_in_body(in));
	ask_done(&a);
	store_close(&g.st);
	return in != NULL ? TOOL_OK : TOOL_NO;
}

/* ---- put and cas */

static int put(struct store *st, struct ask *a, struct span value)
{
	bool done;

	a->body = value;
	a->writes = true;
	done = answer_is_true(st, store_ask(st, a));
	ask_done(a);
	return done ? TOOL_OK : TOOL_NO;
}

static void put_take_options(struct ttl_put *p, struct opts *o)
{
	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case OPT_TTL:
			p->ttl_ns = (uint64_t)opts_duration_ns(o);
			if (p->ttl_ns == 0)
				opts_bad(o, "0 is no time to live");
			break;
		case OPT_FLAGS:
			p->flags = opts_u64(o, 0, UINT64_MAX);
			p->has_flags = true;
			break;
		default:
			store_option(p->st, o, id);
		}
	opts_need(o, 2, 2, o->operand_count == 0 ? "KEY" : "VALUE, or - for stdin");
	p->key = o->operands[0];
	check_key(p->key);
}

int put_run(struct opts *o)
{
	struct store st = {.where = NULL};
	struct ttl_put p = {.st = &st};
	struct ask a = {.writes = true};
	struct buf input = {0};
	int status;

	put_take_options(&p, o);
	p.value = value_of(o->operands[1], &input);
	store_open(&st);
	if (p.ttl_ns > 0) {
		status = ttl_put(&p);
	} else {
		ask_begin(&a, "PUT", KV, span_of(p.key));
		if (p.has_flags)
			ask_param_u64(&a, "flags", p.flags);
		status = put(&st, &a, p.value);
	}
	buf_done(&input);
	store_close(&st);
	return status;
}

static uint64_t index_of(const char *text)
{
	uint64_t index;
	struct err e;

	if (num_u64(text, 0, UINT64_MAX, &index, &e) < 0)
		tool_usage("INDEX: %s", e.msg);
	return index;
}

int cas_run(struct opts *o)
{
	struct store st = {.where = NULL};
	struct ask a = {.writes = true};
	struct buf input = {0};
	const char *flags = NULL;
	struct span value;
	uint64_t index;
	int status;

	for (int id; (id = opts_next(o)) != -1;)
		if (id != OPT_FLAGS) {
			store_option(&st, o, id);
		} else {
			(void)opts_u64(o, 0, UINT64_MAX);
			flags = o->arg;
		}
	opts_need(o, 3, 3, "KEY INDEX VALUE");
	check_key(o->operands[0]);
	index = index_of(o->operands[1]);
	value = value_of(o->operands[2], &input);
	store_open(&st);
	ask_begin(&a, "PUT", KV, span_of(o->operands[0]));
	ask_param_u64(&a, "cas", index);
	if (flags != NULL)
		ask_param(&a, "flags", flags);
	status = put(&st, &a, value);
	if (status == TOOL_NO && index == 0)
		say_no("key '%s' is there", o->operands[0]);
	else if (status == TOOL_NO)
		say_no("key '%s' has another index, or is not there", o->operands[0]);
	buf_done(&input);
	store_close(&st);
	return status;
}

/* ---- del */

struct del {
	struct store st;
	bool recurse, all, has_index;
	uint64_t index;
};

static void del_take_options(struct del *d, struct opts *o)
{
	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case 'x':
			d->index = opts_u64(o, 0, UINT64_MAX);
			d->has_index = true;
			break;
		case OPT_RECURSE:
			d->recurse = true;
			break;
		case OPT_ALL:
			d->all = true;
			break;
		default:
			store_option(&d->st, o, id);
		}
	opts_need(o, d->all ? 0 : 1, d->all ? 0 : 1, "KEY");
	if (d->has_index && (d->recurse || d->all))
		tool_usage("-x is for one key: it excludes --recurse and --all");
	/* An unset variable of a script is not to empty the store. */
	if (!d->all && d->recurse && *o->operands[0] == '\0')
		tool_usage("the prefix is empty, which is all keys: say --all");
	if (!d->all && !d->recurse)
		check_key(o->operands[0]);
}

int del_run(struct opts *o)
{
	struct del d = {.all = false};
	struct ask a = {.writes = true};
	bool done;

	del_take_options(&d, o);
	store_open(&d.st);
	ask_begin(&a, "DELETE", KV, span_of(d.all ? "" : o->operands[0]));
	if (d.all || d.recurse)
		ask_param(&a, "recurse", NULL);
	if (d.has_index)
		ask_param_u64(&a, "cas", d.index);
	done = answer_is_true(&d.st, store_ask(&d.st, &a));
	if (!done)
		say_no("key '%s' has another index", o->operands[0]);
	ask_done(&a);
	store_close(&d.st);
	return done ? TOOL_OK : TOOL_NO;
}

/* ---- ls */

struct ls {
	struct store st;
	const char *prefix, *separator;
	bool json;
	char end;
};

static void print_list(const struct ls *l, const struct http_in *in)
{
	struct entry e = {.index = 0};
	struct buf line = {0};
	struct json_member m;
	struct json_each it;
	struct json_doc d;

	answer_json(&l->st, in, &d);
	if (d.value.type != JSON_ARRAY)
		answer_is_odd(&l->st, in);
	json_each_begin(&it, &d.value);
	while (json_each_next(&it, &m)) {
		if (l->json) {
			entry_read(&l->st, &m.value, &e);
			e.has_value = true;
			entry_put(&line, &e, NULL);
		} else {
			get_text(&line, &m.value);
		}
		write_line(&line, l->end);
	}
	entry_done(&e);
	buf_done(&line);
}

static void ls_take_options(struct ls *l, struct opts *o)
{
	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case OPT_JSON:
			l->json = true;
			break;
		case OPT_SEPARATOR:
			if (*o->arg == '\0')
				opts_bad(o, "it is empty");
			l->separator = o->arg;
			break;
		case '0':
			l->end = '\0';
			break;
		default:
			store_option(&l->st, o, id);
		}
	opts_need(o, 0, 1, "PREFIX");
	if (o->operand_count > 0)
		l->prefix = o->operands[0];
	if (l->json && l->separator != NULL)
		tool_usage(
		    "--json has entries, --separator parts of keys: they exclude each other");
}

int ls_run(struct opts *o)
{
	struct ls l = {.prefix = "", .end = '\n'};
	struct ask a = {.writes = false};
	const struct http_in *in;

	ls_take_options(&l, o);
	store_open(&l.st);
	ask_begin(&a, "GET", KV, span_of(l.prefix));
	ask_param(&a, l.json ? "recurse" : "keys", NULL);
	if (l.separator != NULL)
		ask_param(&a, "separator", l.separator);
	in = store_ask(&l.st, &a);
	if (answer_is_there(&l.st, in))
		print_list(&l, in);
	ask_done(&a);
	store_close(&l.st);
	return TOOL_OK;
}
