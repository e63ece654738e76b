/* status: who is in the cluster, who leads it, and how far the member that answered has come. */
#include <stdlib.h>
#include <string.h>

#include "base/json_out.h"
#include "raftctl.h"

const struct opt status_options[] = {
    {OPT_JSON, "json", NULL, NULL, "all of it as a line of JSON"},
    {0},
};

struct member {
	struct buf name, id, address;
	bool leads, votes;
	uint64_t index;
};

struct status {
	struct member *members;
	size_t count;
	struct buf by; /* the name of who answered */
	uint64_t term, last, commit, applied;
};

static const struct member *leader_of(const struct status *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->members[i].leads)
			return &s->members[i];
	return NULL;
}

/* ---- Reading it. */

static bool is_true(struct json_value v)
{
	return v.type == JSON_BOOL && *v.p == 't';
}

/* 0 when it is not there. */
static uint64_t number(struct json_value v)
{
	uint64_t n = 0;
	struct err e;

	(void)json_get_u64(&v, &n, &e);
	return n;
}

static void read_text(const struct json_value *v, const char *name, struct buf *to)
{
	struct json_value text = member_of(v, name);

	get_text(to, &text);
}

static const struct http_in *ask(struct store *st, const char *path, struct json_doc *d)
{
	struct ask a = {.writes = false};
	const struct http_in *in;

	ask_begin(&a, "GET", path, (struct span){NULL, 0});
	ask_param(&a, "stale", NULL);
	in = store_ask(st, &a);
	if (http_in_status(in) != 200)
		answer_is_odd(st, in);
	answer_json(st, in, d);
	if (d->value.type != JSON_OBJECT)
		answer_is_odd(st, in);
	ask_done(&a);
	return in;
}

static void read_members(struct store *st, struct status *s)
{
	struct json_value servers;
	struct json_member m;
	struct json_each it;
	struct json_doc d;
	const struct http_in *in = ask(st, "/v1/operator/raft/configuration", &d);

	servers = member_of(&d.value, "Servers");
	if (servers.type != JSON_ARRAY)
		answer_is_odd(st, in);
	s->members = tool_alloc(json_each_count(&servers) + 1, sizeof(*s->members));
	json_each_begin(&it, &servers);
	while (json_each_next(&it, &m)) {
		struct member *to = &s->members[s->count++];

		read_text(&m.value, "Node", &to->name);
		read_text(&m.value, "ID", &to->id);
		read_text(&m.value, "Address", &to->address);
		to->leads = is_true(member_of(&m.value, "Leader"));
		to->votes = is_true(member_of(&m.value, "Voter"));
		to->index = number(member_of(&m.value, "LastIndex"));
	}
}

static void read_self(struct store *st, struct status *s)
{
	struct json_value config, stats, raft;
	struct json_doc d;

	(void)ask(st, "/v1/agent/self", &d);
	config = member_of(&d.value, "Config");
	stats = member_of(&d.value, "Stats");
	raft = member_of(&stats, "raft");
	read_text(&config, "NodeName", &s->by);
	s->term = number(member_of(&raft, "term"));
	s->last = number(member_of(&raft, "last_log_index"));
	s->commit = number(member_of(&raft, "commit_index"));
	s->applied = number(member_of(&raft, "applied_index"));
}

static void done(struct status *s)
{
	for (size_t i = 0; i < s->count; i++) {
		buf_done(&s->members[i].name);
		buf_done(&s->members[i].id);
		buf_done(&s->members[i].address);
	}
	free(s->members);
	buf_done(&s->by);
}

/* ---- Printing it. */

static void put_text(struct buf *b, const char *name, const struct buf *text)
{
	json_out_key(b, name);
	json_out_string(b, text->data, text->len);
}

static void put_u64(struct buf *b, const char *name, uint64_t n)
{
	json_out_key(b, name);
	json_out_u64_string(b, n);
}

static void put_member(struct buf *b, const struct member *m)
{
	buf_add_char(b, '{');
	put_text(b, "name", &m->name);
	put_text(b, "id", &m->id);
	put_text(b, "address", &m->address);
	buf_printf(b, ",\"leader\":%s,\"voter\":%s", m->leads ? "true" : "false",
	           m->votes ? "true" : "false");
	put_u64(b, "index", m->index);
	buf_add_char(b, '}');
}

static void print_json(const struct status *s)
{
	const struct member *leader = leader_of(s);
	struct buf b = {0};

	buf_add_char(&b, '{');
	json_out_key(&b, "leader");
	if (leader != NULL)
		json_out_string(&b, leader->name.data, leader->name.len);
	else
		buf_add_str(&b, "null");
	put_u64(&b, "term", s->term);
	put_u64(&b, "last", s->last);
	put_u64(&b, "commit", s->commit);
	put_u64(&b, "applied", s->applied);
	put_text(&b, "answered_by", &s->by);
	json_out_key(&b, "members");
	buf_add_char(&b, '[');
	for (size_t i = 0; i < s->count; i++) {
		if (i > 0)
			buf_add_char(&b, ',');
		put_member(&b, &s->members[i]);
	}
	buf_add_str(&b, "]}");
	write_line(&b, '\n');
	buf_done(&b);
}

static const char *role(const struct member *m)
{
	if (m->leads)
		return "leader";
	return m->votes ? "voter" : "learner";
}

/* A cell of the table.  Control characters are nothing for a terminal. */
static void put_cell(struct buf *b, const struct buf *text, size_t width)
{
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->data[i];

		buf_add_char(b, c < ' ' || c == 0x7f ? '?' : text->data[i]);
	}
	buf_printf(b, "%*s  ", (int)(width - text->len), "");
}

static void widen(size_t *width, const struct buf *text)
{
	if (text->len > *width)
		*width = text->len;
}

static void print_table(const struct status *s)
{
	const struct member *leader = leader_of(s);
	size_t name = strlen("NAME");
	size_t address = strlen("ADDRESS");
	struct buf b = {0};

	for (size_t i = 0; i < s->count; i++) {
		widen(&name, &s->members[i].name);
		widen(&address, &s->members[i].address);
	}
	buf_printf(&b, "%-*s  %-*s  %-7s  INDEX\n", (int)name, "NAME", (int)address, "ADDRESS",
	           "ROLE");
	for (size_t i = 0; i < s->count; i++) {
		const struct member *m = &s->members[i];

		put_cell(&b, &m->name, name);
		put_cell(&b, &m->address, address);
		buf_printf(&b, "%-7s  %ju\n", role(m), (uintmax_t)m->index);
	}
	buf_add_str(&b, leader != NULL ? "leader " : "no leader");
	if (leader != NULL)
		put_cell(&b, &leader->name, leader->name.len);
	buf_printf(&b, "%sterm %ju  last %ju  commit %ju  applied %ju", leader != NULL ? "" : "  ",
	           (uintmax_t)s->term, (uintmax_t)s->last, (uintmax_t)s->commit,
	           (uintmax_t)s->applied);
	write_line(&b, '\n');
	buf_done(&b);
}

int status_run(struct opts *o)
{
	struct store st = {.where = NULL};
	struct status s = {.count = 0};
	bool json = false;
	bool led;

	for (int id; (id = opts_next(o)) != -1;)
		if (id == OPT_JSON)
			json = true;
		else
			store_option(&st, o, id);
	opts_need(o, 0, 0, NULL);
	store_open(&st);
	read_members(&st, &s);
	read_self(&st, &s);
	if (json)
		print_json(&s);
	else
		print_table(&s);
	led = leader_of(&s) != NULL;
	done(&s);
	store_close(&st);
	return led ? TOOL_OK : TOOL_NO;
}
