/* cursor: ls, set, rm and lag. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_out.h"
#include "base/text.h"
#include "feed.h"

const struct opt cursor_options[] = {
    {OPT_ALL, "all", NULL, NULL, "lag: of all cursors"},
    {OPT_JSON, "json", NULL, NULL, "ls: as JSON, one line each"},
    {OPT_MAX_LAG, "max", "N", NULL, "lag: exit 1 when one is more"},
    {0},
};

/* ---- All cursors, by name, then by member. */

struct listed {
	char name[CURSOR_NAME_MAX + 1];
	struct cursor_id id;
	bool damaged, held;
	struct cursor_state state;
};

struct listing {
	struct listed *v;
	size_t count, cap;
	bool damaged; /* one of them is */
};

static int add_listed(const struct cursor_id *id, const struct cursor_state *state, bool held,
                      void *arg, struct err *e)
{
	struct listing *l = arg;
	struct listed *c;

	(void)e;
	if (l->count == l->cap) {
		l->cap = l->cap == 0 ? 16 : 2 * l->cap;
		l->v = grow(l->v, l->cap, sizeof(*l->v));
	}
	c = &l->v[l->count++];
	*c = (struct listed){.id = *id, .damaged = state == NULL, .held = held};
	memcpy(c->name, id->name, strlen(id->name) + 1);
	if (state != NULL)
		c->state = *state;
	l->damaged = l->damaged || state == NULL;
	return 0;
}

static void load(struct listing *l, struct evlog *s)
{
	struct err e;

	*l = (struct listing){0};
	if (cursor_each(s, add_listed, l, &e) < 0)
		fail(&e);
	for (size_t i = 0; i < l->count; i++)
		l->v[i].id.name = l->v[i].name; /* the array has stopped moving */
}

/* A plain cursor with members behind it. */
static bool is_of_group(const struct listing *l, size_t i)
{
	return l->v[i].id.members == 0 && i + 1 < l->count &&
	       strcmp(l->v[i].name, l->v[i + 1].name) == 0;
}

static uint64_t lag_of(uint64_t end, uint64_t sequence)
{
	return end > sequence ? end - sequence : 0;
}

/* ---- cursor ls */

static const char *state_word(const struct listing *l, size_t i, struct evlog *s)
{
	const struct listed *c = &l->v[i];

	if (c->damaged)
		return "damaged";
	if (!cursor_fits_log(s, &c->state))
		return "lost";
	if (is_of_group(l, i))
		return "group";
	if (c->state.tries > 0)
		return "retrying";
	return c->held ? "active" : "idle";
}

static void put_time(struct buf *b, int64_t ns)
{
	char time[TEXT_TIME_LEN];

	text_put_time(time, ns);
	buf_add(b, time, sizeof(time));
}

static void put_json(struct buf *b, const struct listed *c, uint64_t end, const char *word)
{
	const struct cursor_state *st = &c->state;
	char name[CURSOR_TEXT_MAX];

	cursor_id_text(name, &c->id);
	buf_add_char(b, '{');
	json_out_key(b, "name");
	json_out_string(b, name, strlen(name));
	if (!c->damaged) {
		json_out_key(b, "sequence");
		json_out_seq(b, st->sequence);
		json_out_key(b, "lag");
		json_out_u64_string(b, lag_of(end, st->sequence));
		json_out_key(b, "selector");
		json_out_string(b, st->selector, strlen(st->selector));
		json_out_key(b, "time");
		buf_add_char(b, '"');
		put_time(b, st->time_ns);
		buf_add_char(b, '"');
		json_out_key(b, "tries");
		json_out_u64(b, st->tries);
		json_out_key(b, "program");
		json_out_string(b, st->program, strlen(st->program));
	}
	json_out_key(b, "held");
	buf_add_str(b, c->held ? "true" : "false");
	json_out_key(b, "state");
	json_out_string(b, word, strlen(word));
	buf_add_str(b, "}\n");
}

static void put_plain(struct buf *b, const struct listed *c, uint64_t end, const char *word)
{
	char name[CURSOR_TEXT_MAX];

	cursor_id_text(name, &c->id);
	if (c->damaged) {
		buf_printf(b, "%s\t-\t-\t-\t-\t%s\n", name, word);
		return;
	}
	buf_printf(b, "%s\t%020ju\t%ju\t%s\t", name, (uintmax_t)c->state.sequence,
	           (uintmax_t)lag_of(end, c->state.sequence), c->state.selector);
	put_time(b, c->state.time_ns);
	buf_printf(b, "\t%s\n", word);
}

static int list(struct evlog *s, bool json)
{
	uint64_t end = evlog_durable(s);
	struct buf b = {0};
	struct listing l;
	struct err e;

	load(&l, s);
	for (size_t i = 0; i < l.count; i++)
		(json ? put_json : put_plain)(&b, &l.v[i], end, state_word(&l, i, s));
	if (buf_ok(&b, &e) < 0)
		fail(&e);
	tool_write(b.data, b.len);
	buf_done(&b);
	free(l.v);
	return l.damaged ? STATUS_DAMAGED : TOOL_OK;
}

/* ---- cursor set, rm: a plain name stands for its members, too. */

static _Noreturn void fail_to_remove(const struct err *e)
{
	if (e->code == EBUSY)
		tool_dief(TOOL_TEMPFAIL, "%s: end that first", e->msg);
	fail(e);
}

static bool is_member_of(const struct cursor_id *id, const char *name)
{
	return id->members > 0 && strcmp(id->name, name) == 0;
}

static int refuse_held(const struct cursor_id *id, const struct cursor_state *state, bool held,
                       void *arg, struct err *e)
{
	const struct cursor_id *plain = arg;
	char text[CURSOR_TEXT_MAX];

	(void)state;
	if (!held || !is_member_of(id, plain->name))
		return 0;
	cursor_id_text(text, id);
	return err_set(e, EBUSY, "cursor '%s': held by another process", text);
}

struct removal {
	struct evlog *s;
	const char *name;
	bool found;
};

static int remove_member(const struct cursor_id *id, const struct cursor_state *state, bool held,
                         void *arg, struct err *e)
{
	struct removal *r = arg;

	(void)state;
	(void)held;
	if (!is_member_of(id, r->name))
		return 0;
	r->found = true;
	return cursor_remove(r->s, id, e);
}

/* All of a group or none: looked at before the first one goes. */
static void check_members(struct evlog *s, struct cursor_id *id)
{
	struct err e;

	if (id->members == 0 && cursor_each(s, refuse_held, id, &e) < 0)
		fail_to_remove(&e);
}

static bool remove_members(struct evlog *s, const struct cursor_id *id)
{
	struct removal r = {.s = s, .name = id->name};
	struct err e;

	if (id->members == 0 && cursor_each(s, remove_member, &r, &e) < 0)
		fail_to_remove(&e);
	return r.found;
}

/* Saved before the members go: killed in between, the same command does the rest. */
static int set(struct evlog *s, const struct place *p, struct cursor_id *id, uint64_t seq)
{
	struct cursor_state *state;
	struct cursor *c;
	bool is_new;

	claim_check_end(s, seq);
	c = claim_take(s, p, id, &is_new);
	check_members(s, id);
	state = cursor_state(c);
	state->sequence = seq;
	state->tries = 0;
	memcpy(state->selector, "-", 2);
	claim_save(c);
	remove_members(s, id);
	cursor_close(c);
	return TOOL_OK;
}

static int remove_all(struct evlog *s, struct cursor_id *id)
{
	bool found;
	struct err e;

	check_members(s, id);
	found = remove_members(s, id);
	if (cursor_remove(s, id, &e) == 0)
		return TOOL_OK;
	if (e.code != ENOENT)
		fail_to_remove(&e);
	return found ? TOOL_OK : TOOL_NO;
}

/* ---- cursor lag */

struct lags {
	struct evlog *s;
	uint64_t end, max;
	bool over, damaged, lost;
};

/* Of a cursor that stops its consumer the lag, often 0, says nothing. */
static void warn_of(struct lags *l, const struct listed *c)
{
	char text[CURSOR_TEXT_MAX];

	cursor_id_text(text, &c->id);
	if (c->damaged) {
		tool_warn("cursor '%s': neither of its slots is sound", text);
		l->damaged = true;
	} else if (!cursor_fits_log(l->s, &c->state)) {
		tool_warn("cursor '%s' is at %ju, and the store has lost that event; 'evlog cursor "
		          "set %s SEQUENCE' says where to go on",
		          text, (uintmax_t)c->state.sequence, c->name);
		l->lost = true;
	}
}

static void print_lag(struct lags *l, const struct cursor_id *id, uint64_t sequence)
{
	uint64_t lag = lag_of(l->end, sequence);
	char text[CURSOR_TEXT_MAX];

	cursor_id_text(text, id);
	tool_printf("%s\t%ju\n", text, (uintmax_t)lag);
	l->over = l->over || lag > l->max;
}

/* A line for each member, also for one that was never there. */
static void print_group(struct lags *l, const char *name)
{
	struct group g = {0};

	group_find(l->s, name, &g);
	for (uint32_t k = 1; k <= g.members; k++)
		print_lag(l, &(struct cursor_id){name, k, g.members}, g.sequence[k - 1]);
}

static void lag_of_all(struct lags *l, const struct listing *all)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct listed *c = &all->v[i];

		warn_of(l, c);
		if (i > 0 && strcmp(c->name, all->v[i - 1].name) == 0)
			continue;
		if (c->id.members > 0 || is_of_group(all, i))
			print_group(l, c->name);
		else if (!c->damaged)
			print_lag(l, &c->id, c->state.sequence);
	}
}

static const struct listed *find_listed(const struct listing *all, const struct cursor_id *id)
{
	assert(id->name != NULL);
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->v[i].name, id->name) == 0 && all->v[i].id.member == id->member &&
		    all->v[i].id.members == id->members)
			return &all->v[i];
	return NULL;
}

static void lag_of_one(struct lags *l, const struct listing *all, const struct cursor_id *id)
{
	const struct listed *c = find_listed(all, id);
	struct group g = {0};
	uint64_t lag;

	if (id->members == 0)
		group_find(l->s, id->name, &g);
	if (c == NULL && g.members == 0)
		tool_dief(TOOL_NO, "there is no cursor '%s'", id->name);
	for (size_t i = 0; i < all->count; i++)
		if (&all->v[i] == c || (g.members > 0 && strcmp(all->v[i].name, id->name) == 0))
			warn_of(l, &all->v[i]);
	if (l->damaged || (c == NULL && g.members == 0))
		return;
	lag = lag_of(l->end, g.members > 0 ? group_lowest(&g) : c->state.sequence);
	tool_printf("%ju\n", (uintmax_t)lag);
	l->over = lag > l->max;
}

/* Of all for NULL. */
static int lag(struct evlog *s, const struct cursor_id *id, uint64_t max)
{
	struct lags l = {.s = s, .end = evlog_durable(s), .max = max};
	struct listing all;

	load(&all, s);
	if (id != NULL)
		lag_of_one(&l, &all, id);
	else
		lag_of_all(&l, &all);
	free(all.v);
	return l.damaged ? STATUS_DAMAGED : l.lost ? TOOL_CONFIG : l.over ? TOOL_NO : TOOL_OK;
}

/* ---- The verb. */

struct request {
	struct place place;
	const char *verb;
	bool all, json, has_max;
	uint64_t max;
	char name[CURSOR_NAME_MAX + 1];
	struct cursor_id id;
};

static void take_options(struct request *r, struct opts *o)
{
	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case OPT_ALL:
			r->all = true;
			break;
		case OPT_JSON:
			r->json = true;
			break;
		case OPT_MAX_LAG:
			r->max = opts_u64(o, 0, UINT64_MAX);
			r->has_max = true;
			break;
		default:
			place_option(&r->place, o, id);
		}
	opts_need(o, 1, 3, "ls, set, rm or lag");
	r->verb = o->operands[0];
}

/* What each of the four takes; its name is parsed. */
static void check_request(struct request *r, const struct opts *o)
{
	bool is_ls = strcmp(r->verb, "ls") == 0;
	bool is_lag = strcmp(r->verb, "lag") == 0;
	bool is_set = strcmp(r->verb, "set") == 0;
	int names = is_ls || r->all ? 0 : 1;
	struct err e;

	if (!is_ls && !is_lag && !is_set && strcmp(r->verb, "rm") != 0)
		tool_usage("cursor '%s': it is ls, set, rm or lag", r->verb);
	if (r->json && !is_ls)
		tool_usage("--json goes with ls");
	if ((r->all || r->has_max) && !is_lag)
		tool_usage("--all and --max go with lag");
	opts_need(o, 1 + names + is_set, 1 + names + is_set,
	          is_set && o->operand_count == 2 ? "SEQUENCE" : "NAME");
	if (names > 0 && cursor_parse_id(o->operands[1], r->name, &r->id, &e) < 0)
		tool_usage("%s", e.msg);
}

int cursor_run(struct opts *o)
{
	struct request r = {.max = UINT64_MAX};
	uint64_t seq = 0;
	struct evlog *s;
	int status;

	take_options(&r, o);
	check_request(&r, o);
	if (strcmp(r.verb, "set") == 0)
		seq = claim_sequence(o->operands[2]);
	s = place_open(&r.place);
	switch (r.verb[1]) {
	case 's':
		status = list(s, r.json);
		break;
	case 'e':
		status = set(s, &r.place, &r.id, seq);
		break;
	case 'm':
		status = remove_all(s, &r.id);
		break;
	default:
		status = lag(s, r.all ? NULL : &r.id, r.max);
	}
	evlog_close(s);
	return status;
}
