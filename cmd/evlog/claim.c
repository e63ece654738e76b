/*
 * claim: who may work with a cursor.
 *
 * A consumer of the plain name and members of a group must never work at the same time, nor two
 * groups of different size: they would share events.  A plain consumer holds its cursor and then
 * looks for members; a new member makes its cursor while it holds the plain one.  So whoever comes
 * second sees the other.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "feed.h"
#include "os/clock.h"

#define ALL "--all"

const char *claim_select(const char *operand, struct query *q)
{
	if (operand == NULL) {
		q->kind = SELECT_ALL;
		return ALL;
	}
	query_select(q, operand);
	if (strlen(operand) > CURSOR_SELECTOR_MAX)
		tool_usage("a selector of more than %d bytes", CURSOR_SELECTOR_MAX);
	return operand;
}

void claim_group_option(struct cursor_id *id, const struct opts *o)
{
	const char *slash = strchr(o->arg, '/');
	struct err e;
	uint64_t k;
	uint64_t n;

	if (slash == NULL)
		opts_bad(o, "'%s' is not K/N", o->arg);
	if (num_u64(slash + 1, 1, CURSOR_GROUP_MAX, &n, &e) < 0 ||
	    num_u64_len(o->arg, (size_t)(slash - o->arg), 1, n, &k, &e) < 0)
		opts_bad(o, "%s", e.msg);
	id->member = (uint32_t)k;
	id->members = (uint32_t)n;
}

/* ---- What is the same for all that move a cursor by hand. */

uint64_t claim_sequence(const char *text)
{
	struct err e;
	uint64_t seq;

	if (num_u64(text, 0, FRAME_SEQ_MAX, &seq, &e) < 0)
		tool_usage("sequence: %s", e.msg);
	return seq;
}

void claim_check_end(struct evlog *s, uint64_t seq)
{
	uint64_t end = evlog_durable(s);

	if (seq > end)
		tool_dief(TOOL_DATA, "the store ends at %ju, before %ju", (uintmax_t)end,
		          (uintmax_t)seq);
}

void claim_save(struct cursor *c)
{
	struct err e;

	if (cursor_save(c, clock_wall_ns(), &e) < 0)
		fail(&e);
}

/* ---- Groups. */

struct search {
	const char *name;
	struct group *g;
};

static int find(const struct cursor_id *id, const struct cursor_state *state, bool held, void *arg,
                struct err *e)
{
	struct search *search = arg;
	struct group *g = search->g;

	(void)held;
	(void)e;
	if (strcmp(id->name, search->name) != 0)
		return 0;
	if (id->members == 0) {
		g->has_plain = state != NULL;
		if (state != NULL)
			g->plain = *state;
		return 0;
	}
	if (g->members != 0 && g->members != id->members) {
		g->others = id->members;
		return 0;
	}
	g->members = id->members;
	g->has[id->member - 1] = true;
	if (state != NULL && strcmp(state->selector, "-") != 0)
		memcpy(g->selector, state->selector, sizeof(g->selector));
	/* One that is damaged has come nobody knows how far. */
	g->sequence[id->member - 1] = state != NULL ? state->sequence : 0;
	return 0;
}

void group_find(struct evlog *s, const char *name, struct group *g)
{
	struct search search = {name, g};
	struct err e;

	*g = (struct group){0};
	if (cursor_each(s, find, &search, &e) < 0)
		fail(&e);
	for (uint32_t i = 0; i < g->members; i++)
		if (!g->has[i])
			g->sequence[i] = g->has_plain ? g->plain.sequence : 0;
}

uint64_t group_lowest(const struct group *g)
{
	uint64_t lowest = g->members > 0 ? g->sequence[0] : g->plain.sequence;

	for (uint32_t i = 1; i < g->members; i++)
		if (g->sequence[i] < lowest)
			lowest = g->sequence[i];
	return lowest;
}

/* ---- Taking one. */

struct cursor *claim_take(struct evlog *s, const struct place *p, const struct cursor_id *id,
                          bool *ret_new)
{
	int64_t wait = p->has_wait ? p->wait_ms : -1;
	struct cursor *c;
	char text[CURSOR_TEXT_MAX];
	struct err e;

	cursor_id_text(text, id);
	c = cursor_open(s, id, 0, ret_new, &e);
	if (c == NULL && e.code == ETIMEDOUT && wait != 0) {
		if (tool_is_terminal(STDERR_FILENO))
			tool_warn("waiting for cursor '%s': another process holds it", text);
		c = cursor_open(s, id, wait, ret_new, &e);
	}
	if (c == NULL && e.code == EVLOG_DAMAGED)
		tool_dief(STATUS_DAMAGED,
		          "%s; 'evlog cursor rm %s', then 'evlog cursor set %s SEQUENCE' makes it "
		          "anew",
		          e.msg, text, text);
	if (c == NULL)
		fail(&e);
	return c;
}

void claim_check_log(struct evlog *s, const struct cursor_id *id, const struct cursor_state *state)
{
	uint64_t end = evlog_durable(s);

	if (cursor_fits_log(s, state))
		return;
	if (state->sequence > end)
		tool_dief(
		    TOOL_CONFIG,
		    "cursor '%s' is at %ju and the store ends at %ju: it has lost events that "
		    "were done; 'evlog cursor set %s %ju' goes on behind what is left",
		    id->name, (uintmax_t)state->sequence, (uintmax_t)end, id->name, (uintmax_t)end);
	tool_dief(TOOL_CONFIG,
	          "cursor '%s' is at %ju, and the store has another event there now: it has lost "
	          "events that were done, and given their sequences to new ones; 'evlog cursor "
	          "set %s SEQUENCE' says where to go on",
	          id->name, (uintmax_t)state->sequence, id->name);
}

/* One name has one cursor: that of a projection is none for a consumer. */
static void check_program(const struct cursor_id *id, const struct cursor_state *state)
{
	if (strcmp(state->program, "-") != 0)
		tool_dief(TOOL_CONFIG, "'%s' is the name of a projection; use another one",
		          id->name);
}

static void check_selector(const struct cursor_id *id, const struct cursor_state *state,
                           const char *selector)
{
	check_program(id, state);
	if (strcmp(state->selector, "-") == 0 || strcmp(state->selector, selector) == 0)
		return;
	tool_dief(TOOL_CONFIG,
	          "cursor '%s' is for %s, not for %s: use another name, or 'evlog cursor set %s "
	          "%ju' to go on with another selector, or 'evlog cursor rm %s' to begin anew",
	          id->name, state->selector, selector, id->name, (uintmax_t)state->sequence,
	          id->name);
}

static void check_group(struct evlog *s, const struct cursor_id *id)
{
	struct group g = {0};
	uint32_t other;

	group_find(s, id->name, &g);
	other = g.members != id->members ? g.members : g.others;
	if (other == 0)
		return;
	tool_dief(TOOL_CONFIG,
	          "'%s' has cursors of a group of %u: when they are at one place, or where events "
	          "may come twice, 'evlog cursor set %s %ju' makes one cursor of them, from which "
	          "any group can begin",
	          id->name, other, id->name, (uintmax_t)group_lowest(&g));
}

/* Each takes a share of streams: with different selectors some would be nobody's. */
static void check_members(struct evlog *s, const struct cursor_id *id, const char *selector)
{
	struct group g = {0};

	if (id->members == 0)
		return;
	group_find(s, id->name, &g);
	if (g.selector[0] == '\0' || strcmp(g.selector, selector) == 0)
		return;
	tool_dief(TOOL_CONFIG,
	          "the group of '%s' is for %s, not for %s: use another name, or 'evlog cursor set "
	          "%s %ju' to go on with another selector",
	          id->name, g.selector, selector, id->name, (uintmax_t)group_lowest(&g));
}

static void set_selector(struct cursor_state *state, const char *selector)
{
	memcpy(state->selector, selector, strlen(selector) + 1);
}

/* A new member begins where the plain cursor is, and exists before that one is let go. */
static void begin_member(struct evlog *s, const struct place *p, const struct claim *c,
                         const char *selector, struct cursor_state *state, struct cursor *cursor)
{
	const struct cursor_id plain = {.name = c->id.name};
	bool is_new;
	struct cursor *from = claim_take(s, p, &plain, &is_new);
	struct err e;

	check_group(s, &c->id); /* again: nobody else can begin now */
	claim_check_log(s, &plain, cursor_state(from));
	if (c->by_hand)
		selector = cursor_state(from)->selector;
	check_selector(&plain, cursor_state(from), selector);
	if (!c->by_hand)
		check_members(s, &c->id, selector);
	state->sequence = cursor_state(from)->sequence;
	set_selector(state, selector);
	if (cursor_save(cursor, clock_wall_ns(), &e) < 0)
		fail(&e);
	cursor_close(from);
}

struct cursor *claim_cursor(struct evlog *s, const struct place *p, const struct claim *c,
                            struct query *q, bool *ret_new)
{
	const char *selector = c->by_hand ? NULL : claim_select(c->operand, q);
	struct cursor *cursor = claim_take(s, p, &c->id, ret_new);
	struct cursor_state *state = cursor_state(cursor);

	check_group(s, &c->id);
	if (*ret_new && c->id.members > 0) {
		begin_member(s, p, c, selector, state, cursor);
		return cursor;
	}
	claim_check_log(s, &c->id, state);
	if (c->by_hand)
		return cursor;
	check_selector(&c->id, state, selector);
	check_members(s, &c->id, selector);
	set_selector(state, selector);
	return cursor;
}
