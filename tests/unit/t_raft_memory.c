/* raft: memory that runs out when a message is read and when a node starts; t_raft_storm has more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "fail_alloc.h"
#include "raft/raft.h"
#include "raft_net.h"

static struct span as_span(const struct buf *b)
{
	return (struct span){b->data, b->len};
}

static struct raft_conf members(unsigned n)
{
	struct raft_conf c = {.count = n};

	for (unsigned i = 0; i < n; i++)
		c.member[i] = (struct raft_member){.id = i + 1, .voter = true, .was_voter = true};
	return c;
}

/* The room stays as it was, and the message can be read once there is memory again. */
static void without_memory_no_message_is_read(void **state)
{
	static const size_t counts[] = {1, 16, 17, 100};
	struct raft_message_room room = {.entries = NULL};
	struct raft_entry entries[100];
	struct raft_message m = {
	    .type = RAFT_APPEND, .cluster = 1, .from = 2, .to = 1, .term = 1, .entries = entries};
	struct raft_message got;
	struct buf b = {0};
	unsigned failed = 0;
	struct err e;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		entries[i] = net_entry(i + 1, 1);
	for (unsigned i = 0; i < 4; i++) {
		m.count = counts[i];
		buf_clear(&b);
		raft_message_put(&b, &m);
		fail_alloc_at(1);
		if (raft_message_get(as_span(&b), &got, &room, &e) < 0) {
			assert_int_equal(e.code, ENOMEM);
			assert_string_equal(e.msg, "append: out of memory");
			failed++;
		}
		fail_alloc_end();
		assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), 0);
		assert_int_equal(got.count, counts[i]);
		assert_int_equal(got.entries[counts[i] - 1].index, counts[i]);
	}
	/* Room is for 16 at first, and doubles. */
	assert_int_equal(failed, 3);
	buf_done(&b);
	raft_message_room_done(&room);
}

/* Whoever sends looks at the buffer: half a message is never one. */
static void without_memory_what_is_put_is_not_ok(void **state)
{
	struct raft_conf conf = members(RAFT_MEMBERS_MAX);
	struct raft_message m = {.type = RAFT_SNAPSHOT,
	                         .cluster = 1,
	                         .from = 2,
	                         .to = 1,
	                         .term = 1,
	                         .prev = {1, 1},
	                         .conf = &conf,
	                         .size = 1000,
	                         .data = {(char[1000]){0}, 1000}};
	bool failed = true;
	struct err e;

	(void)state;
	for (unsigned nth = 1; failed; nth++) {
		struct buf b = {0};

		fail_alloc_at(nth);
		raft_message_put(&b, &m);
		failed = fail_alloc_end();
		assert_int_equal(buf_ok(&b, &e), failed ? -1 : 0);
		assert_true(failed || nth > 2);
		buf_done(&b);
	}
}

/* It is not begun, or whole; SAN=address sees what would be left behind. */
static void without_memory_no_node_starts(void **state)
{
	const struct raft_config cfg = {.cluster = 1, .self = 1};
	struct raft_conf conf = members(3);
	struct raft_entry entries[200];
	struct raft_start start = {.term = 1, .entries = entries, .count = 200};
	struct buf rooms[20] = {{0}};
	struct raft *r = NULL;
	unsigned nth = 0;
	struct err e;

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		entries[i] = net_entry(i + 1, 1);
	for (unsigned i = 0; i < 20; i++) {
		entries[i] = raft_bootstrap(&conf, &rooms[i]);
		entries[i].index = i + 1;
	}
	while (r == NULL) {
		fail_alloc_at(++nth);
		r = raft_new(&cfg, &start, &e);
		assert_int_equal(fail_alloc_end(), r == NULL);
		assert_true(r != NULL || (e.code == ENOMEM && strstr(e.msg, "out of memory")));
	}
	/* The node, its entries, room for those and for the list of configurations, which grow. */
	assert_true(nth > 1 + 20 + 2 + 2);
	assert_int_equal(raft_entry(r, 200)->index, 200);
	raft_free(r);
	for (unsigned i = 0; i < 20; i++)
		buf_done(&rooms[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_memory_no_message_is_read),
	    cmocka_unit_test(without_memory_what_is_put_is_not_ok),
	    cmocka_unit_test(without_memory_no_node_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
