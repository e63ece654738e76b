/* cursor: ls, set, rm and lag. */
#include <errno.h>
#include <stdio.h>
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

/* ---- cursor ls */

struct listing {
	struct evlog *s;
	bool json;
	uint64_t end;
	bool damaged;
	struct buf out;
	struct group group; /* of the name listed last */
	char name[CURSOR_NAME_MAX + 1];
};

static uint64_t lag_of(uint64_t end, uint64_t sequence)
{
	return end > sequence ? end - sequence : 0;
}

static const char *state_word(struct listing *l, const struct cursor_id *id,
                              const struct cursor_state *state, bool held)
{
	if (state == NULL)
		return "damaged";
	if (!cursor_fits_log(l->s, state))
		return "lost";
	if (id->members == 0) {
		if (strcmp(l->name, id->name) != 0)
			group_find(l->s, id->name, &l->group);
		memcpy(l->name, id->name, strlen(id->name) + 1);
		if (l->group.members > 0)
			return "group";
	}
	if (state->tries > 0)
		return "retrying";
	return held ? "active" : "idle";
}

static void put_time(struct buf *b, int64_t ns)
{
	char time[TEXT_TIME_LEN];

	text_put_time(time, ns);
	buf_add(b, time, sizeof(time));
}

static void put_json(struct listing *l, const char *name, const struct cursor_state *st, bool held,
                     const char *word)
{
	struct buf *b = &l->out;

	buf_add_char(b, '{');
	json_out_key(b, "name");
	json_out_string(b, name, strlen(name));
	if (st != NULL) {
		json_out_key(b, "sequence");
		json_out_seq(b, st->sequence);
		json_out_key(b, "lag");
		json_out_u64_string(b, lag_of(l->end, st->sequence));
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
	buf_add_str(b, held ? "true" : "false");
	json_out_key(b, "state");
	json_out_string(b, word, strlen(word));
	buf_add_str(b, "}\n");
}

static int put_cursor(const struct cursor_id *id, const struct cursor_state *st, bool held,
                      void *arg, struct err *e)
{
	struct listing *l = arg;
	const char *word = state_word(l, id, st, held);
	struct buf *b = &l->out;
	char name[CURSOR_TEXT_MAX];

	cursor_id_text(name, id);
	l->damaged = l->damaged || st == NULL;
	if (l->json) {
		put_json(l, name, st, held, word);
	} else if (st == NULL) {
		buf_printf(b, "%s\t-\t-\t-\t-\t%s\n", name, word);
	} else {
		buf_printf(b, "%s\t%020ju\t%ju\t%s\t", name, (uintmax_t)st->sequence,
		           (uintmax_t)lag_of(l->end, st->sequence), st->selector);
		put_time(b, st->time_ns);
		buf_printf(b, "\t%s\n", word);
	}
	return buf_ok(b, e);
}

static int list(struct evlog *s, bool json)
{
	struct listing *l = tool_alloc(1, sizeof(*l));
	struct err e;
	int status;

	l->s = s;
	l->json = json;
	l->end = evlog_durable(s);
	if (cursor_each(s, put_cursor, l, &e) < 0)
		fail(&e);
	tool_write(l->out.data, l->out.len);
	status = l->damaged ? STATUS_DAMAGED : TOOL_OK;
	buf_done(&l->out);
	free(l);
	return status;
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
	struct group group;
	char name[CURSOR_NAME_MAX + 1]; /* whose lag was printed last */
};

static void count_lag(struct lags *l, const struct cursor_id *id, uint64_t sequence)
{
	uint64_t lag = lag_of(l->end, sequence);
	char text[CURSOR_TEXT_MAX];

	cursor_id_text(text, id);
	tool_printf("%s\t%ju\n", text, (uintmax_t)lag);
	l->over = l->over || lag > l->max;
}

/* Of a cursor that stops its consumer the lag, often 0, says nothing. */
static void warn_of(struct lags *l, const struct cursor_id *id, const struct cursor_state *state)
{
	char text[CURSOR_TEXT_MAX];

	cursor_id_text(text, id);
	if (state == NULL) {
		tool_warn("cursor '%s': neither of its slots is sound", text);
		l->damaged = true;
	} else if (!cursor_fits_log(l->s, state)) {
		tool_warn("cursor '%s' is at %ju, and the store has lost that event; 'evlog cursor "
		          "set %s SEQUENCE' says where to go on",
		          text, (uintmax_t)state->sequence, id->name);
		l->lost = true;
	}
}

/* A line for each cursor, and for each member that has never been there. */
static int print_lags(const struct cursor_id *id, const struct cursor_state *state, bool held,
                      void *arg, struct err *e)
{
	struct lags *l = arg;

	(void)held;
	(void)e;
	warn_of(l, id, state);
	if (strcmp(l->name, id->name) == 0)
		return 0;
	memcpy(l->name, id->name, strlen(id->name) + 1);
	group_find(l->s, id->name, &l->group);
	if (l->group.members == 0 && state != NULL)
		count_lag(l, id, state->sequence);
	for (uint32_t k = 1; k <= l->group.members; k++)
		count_lag(l, &(struct cursor_id){id->name, k, l->group.members},
		          l->group.sequence[k - 1]);
	return 0;
}

static int warn_of_member(const struct cursor_id *id, const struct cursor_state *state, bool held,
                          void *arg, struct err *e)
{
	struct lags *l = arg;

	(void)held;
	(void)e;
	if (strcmp(l->name, id->name) == 0)
		warn_of(l, id, state);
	return 0;
}

static void print_lag(struct lags *l, const struct cursor_id *id)
{
	struct cursor_state state;
	uint64_t sequence;
	uint64_t lag;
	struct err e;

	group_find(l->s, id->name, &l->group);
	if (id->members == 0 && l->group.members > 0) {
		snprintf(l->name, sizeof(l->name), "%s", id->name);
		if (cursor_each(l->s, warn_of_member, l, &e) < 0)
			fail(&e);
		sequence = group_lowest(&l->group);
	} else {
		int found = cursor_read(l->s, id, &state, &e);

		if (found < 0)
			fail(&e);
		if (found == 0)
			tool_dief(TOOL_NO, "there is no cursor '%s'", id->name);
		warn_of(l, id, &state);
		sequence = state.sequence;
	}
	lag = lag_of(l->end, sequence);
	tool_printf("%ju\n", (uintmax_t)lag);
	l->over = lag > l->max;
}

static int lag(struct evlog *s, const struct cursor_id *id, uint64_t max)
{
	struct lags *l = tool_alloc(1, sizeof(*l));
	struct err e;
	int status;

	l->s = s;
	l->max = max;
	l->end = evlog_durable(s);
	if (id != NULL)
		print_lag(l, id);
	else if (cursor_each(s, print_lags, l, &e) < 0)
		fail(&e);
	status = l->damaged ? STATUS_DAMAGED : l->lost ? TOOL_CONFIG : l->over ? TOOL_NO : TOOL_OK;
	free(l);
	return status;
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
