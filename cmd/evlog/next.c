/* next, ack: a consumer by hand. */
#include "base/text.h"
#include "feed.h"

const struct opt next_options[] = {
    {OPT_ALL, "all", NULL, NULL, "events of all streams"},
    {'n', "count", "N", NULL, "print at most N events (1)"},
    {OPT_GROUP, "group", "K/N", NULL, "of member K of a group of N"},
    {0},
};

const struct opt ack_options[] = {
    {OPT_GROUP, "group", "K/N", NULL, "of member K of a group of N"},
    {0},
};

static void name_operand(const char *text, struct cursor_id *ret)
{
	struct err e;

	if (cursor_check_name(text, &e) < 0)
		tool_usage("%s", e.msg);
	ret->name = text;
}

/* ---- next */

struct next {
	struct place place;
	struct cursor_id id;
	struct query q;
	const char *operand;
	bool all;
	uint64_t count;
};

static void next_take_options(struct next *n, struct opts *o)
{
	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case 'n':
			n->count = opts_u64(o, 1, UINT64_MAX);
			break;
		case OPT_ALL:
			n->all = true;
			break;
		case OPT_GROUP:
			claim_group_option(&n->id, o);
			break;
		default:
			place_option(&n->place, o, id);
		}
	opts_need(o, 1, n->all ? 1 : 2, "NAME");
	name_operand(o->operands[0], &n->id);
	n->operand = o->operands[1];
	if (n->operand != NULL)
		claim_select(n->operand, &n->q);
}

/* Where the consumer is, taking nothing; its own selector where none was given. */
static uint64_t look(struct next *n, struct evlog *s, struct cursor_state *state)
{
	struct err e;
	int found = cursor_read(s, &n->id, state, &e);

	if (found == 0 && n->id.members > 0)
		found = cursor_read(s, &(struct cursor_id){.name = n->id.name}, state, &e);
	if (found < 0)
		fail(&e);
	if (found == 0)
		*state = (struct cursor_state){.selector = "-"};
	claim_check_log(s, &n->id, state);
	if (n->operand == NULL)
		claim_select(n->all || state->selector[0] == '-' ? NULL : state->selector, &n->q);
	return state->sequence;
}

static int print_next(struct next *n, struct evlog *s, uint64_t after)
{
	struct feed_spec spec = {
	    .query = &n->q, .after = after, .member = n->id.member, .members = n->id.members};
	enum feed_result r = FEED_BATCH;
	struct feed_batch b = {0};
	uint64_t left = n->count;
	struct feed *f;
	struct err e;

	spec.count_max = left < FEED_BATCH_MAX ? (size_t)left : FEED_BATCH_MAX;
	f = feed_open(s, &spec);
	while (left > 0 && (r = feed_next(f, &b, 0, &e)) == FEED_BATCH) {
		size_t take = left < b.count ? (size_t)left : b.count;

		tool_write(b.text.data, take < b.count ? b.events[take].at : b.text.len);
		left -= take;
	}
	if (r == FEED_FAILED)
		fail(&e);
	feed_close(f);
	feed_batch_done(&b);
	if (r == FEED_DAMAGED)
		return STATUS_DAMAGED;
	return left < n->count ? TOOL_OK : TOOL_NO;
}

int next_run(struct opts *o)
{
	struct next n = {.count = 1};
	struct cursor_state state;
	struct evlog *s;
	int status;

	query_init(&n.q);
	next_take_options(&n, o);
	s = place_open(&n.place);
	status = print_next(&n, s, look(&n, s, &state));
	evlog_close(s);
	query_done(&n.q);
	return status;
}

/* ---- ack */

int ack_run(struct opts *o)
{
	struct claim claim = {.by_hand = true};
	struct place place = {0};
	struct cursor_state *state;
	struct cursor *c;
	struct evlog *s;
	struct query q;
	uint64_t seq;
	bool is_new;

	for (int id; (id = opts_next(o)) != -1;)
		if (id == OPT_GROUP)
			claim_group_option(&claim.id, o);
		else
			place_option(&place, o, id);
	opts_need(o, 2, 2, "NAME or SEQUENCE");
	name_operand(o->operands[0], &claim.id);
	seq = claim_sequence(o->operands[1]);
	s = place_open(&place);
	claim_check_end(s, seq);
	query_init(&q);
	c = claim_cursor(s, &place, &claim, &q, &is_new);
	state = cursor_state(c);
	if (seq > state->sequence) {
		state->sequence = seq;
		state->tries = 0;
		claim_save(c);
	}
	cursor_close(c);
	evlog_close(s);
	return TOOL_OK;
}
