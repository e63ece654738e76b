#include "raft/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/raft.h"
#include "raft_random.h"
#include "seeded.h"

#define TYPES    11
#define HEAD     35                  /* what every message has */
#define AT_COUNT ((size_t)HEAD + 40) /* of the entries */

static struct span as_span(const struct buf *b)
{
	return (struct span){b->data, b->len};
}

static bool same_bytes(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static void assert_same_conf(const struct raft_conf *a, const struct raft_conf *b)
{
	struct buf bytes[2] = {{0}};

	conf_put(&bytes[0], a);
	conf_put(&bytes[1], b);
	assert_true(same_bytes(as_span(&bytes[0]), as_span(&bytes[1])));
	buf_done(&bytes[0]);
	buf_done(&bytes[1]);
}

static void assert_same(const struct raft_message *a, const struct raft_message *b)
{
	assert_int_equal(a->type, b->type);
	assert_true(a->cluster == b->cluster && a->from == b->from && a->to == b->to);
	assert_true(a->term == b->term && a->commit == b->commit && a->clock_ns == b->clock_ns);
	assert_true(a->prev.index == b->prev.index && a->prev.term == b->prev.term);
	assert_true(a->context == b->context);
	assert_true(a->granted == b->granted && a->forced == b->forced);
	assert_true(a->offset == b->offset && a->size == b->size && a->sum == b->sum);
	assert_true(same_bytes(a->data, b->data));
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		const struct raft_entry *x = &a->entries[i];
		const struct raft_entry *y = &b->entries[i];

		assert_true(x->index == y->index && x->term == y->term);
		assert_true(x->clock_ns == y->clock_ns);
		assert_true(x->type == y->type && x->version == y->version);
		assert_true(same_bytes(x->data, y->data));
	}
	assert_int_equal(a->conf != NULL, b->conf != NULL);
	if (a->conf != NULL)
		assert_same_conf(a->conf, b->conf);
}

/* From a copy of exactly that size, so that a sanitizer sees a byte too many that is read. */
static int get_copy(struct span bytes, char **ret_copy, struct raft_message *m,
                    struct raft_message_room *room, struct err *e)
{
	*ret_copy = malloc(bytes.len > 0 ? bytes.len : 1);
	assert_non_null(*ret_copy);
	memcpy(*ret_copy, bytes.p, bytes.len);
	e->code = 0;
	return raft_message_get((struct span){*ret_copy, bytes.len}, m, room, e);
}

static void every_type_survives_the_round_trip(void **state)
{
	uint64_t rand = seeded();
	struct raft_message_room room = {.entries = NULL};
	struct raft_random_room from;
	struct buf b = {0};
	struct err e;

	(void)state;
	for (unsigned i = 0; i < seeded_rounds(5000); i++) {
		struct raft_message m = raft_random_message(&rand, 1 + i % TYPES, &from);
		struct raft_message got;
		char *copy;

		buf_clear(&b);
		raft_message_put(&b, &m);
		assert_int_equal(buf_ok(&b, &e), 0);
		assert_int_equal(get_copy(as_span(&b), &copy, &got, &room, &e), 0);
		assert_same(&m, &got);
		free(copy);
	}
	raft_message_room_done(&room);
	assert_null(room.entries);
	buf_done(&b);
}

static void a_message_that_is_cut_or_too_long_is_refused(void **state)
{
	uint64_t rand = seeded();
	struct raft_message_room room = {.entries = NULL};
	struct raft_random_room from;
	struct buf b = {0};
	struct err e;

	(void)state;
	for (unsigned i = 0; i < seeded_rounds(2 * TYPES); i++) {
		struct raft_message m = raft_random_message(&rand, 1 + i % TYPES, &from);
		struct raft_message got;
		char *copy;

		buf_clear(&b);
		raft_message_put(&b, &m);
		for (size_t n = 0; n < b.len; n++) {
			struct span cut = {b.data, n};

			assert_int_equal(get_copy(cut, &copy, &got, &room, &e), -1);
			assert_int_equal(e.code, EBADMSG);
			free(copy);
		}
		buf_add_char(&b, 0);
		assert_int_equal(get_copy(as_span(&b), &copy, &got, &room, &e), -1);
		assert_int_equal(e.code, EBADMSG);
		free(copy);
	}
	raft_message_room_done(&room);
	buf_done(&b);
}

/* A message has one form of bytes: with another bit it is refused, or is another message. */
static void check_flipped(struct span bytes, struct raft_message_room *room)
{
	struct buf again = {0};
	struct raft_message got;
	struct err e;
	char *copy;

	if (get_copy(bytes, &copy, &got, room, &e) < 0) {
		assert_true(e.code == EBADMSG || e.code == EPROTONOSUPPORT);
	} else {
		raft_message_put(&again, &got);
		assert_true(same_bytes(as_span(&again), bytes));
	}
	free(copy);
	buf_done(&again);
}

static void each_flipped_bit_is_seen(void **state)
{
	uint64_t rand = seeded();
	struct raft_message_room room = {.entries = NULL};
	struct raft_random_room from;
	struct buf b = {0};

	(void)state;
	for (unsigned i = 0; i < seeded_rounds(4 * TYPES); i++) {
		struct raft_message m = raft_random_message(&rand, 1 + i % TYPES, &from);

		buf_clear(&b);
		raft_message_put(&b, &m);
		for (size_t bit = 0; bit < b.len * 8; bit++) {
			b.data[bit / 8] ^= (char)(1 << bit % 8);
			check_flipped(as_span(&b), &room);
			b.data[bit / 8] ^= (char)(1 << bit % 8);
		}
	}
	raft_message_room_done(&room);
	buf_done(&b);
}

/* Every type's name is its own, and what has none is refused. */
static void types_have_names(void **state)
{
	struct raft_message_room room = {.entries = NULL};
	struct raft_message got;
	char bytes[100] = {RAFT_WIRE_VERSION};
	struct err e;

	(void)state;
	assert_string_equal(raft_message_name(RAFT_APPEND), "append");
	for (unsigned i = 1; i <= TYPES; i++) {
		assert_string_not_equal(raft_message_name(i), "unknown");
		for (unsigned k = 1; k < i; k++)
			assert_string_not_equal(raft_message_name(i), raft_message_name(k));
	}
	assert_string_equal(raft_message_name(0), "unknown");
	assert_string_equal(raft_message_name(TYPES + 1), "unknown");
	assert_string_equal(raft_message_name(-1), "unknown");
	memset(bytes + 3, 1, sizeof(bytes) - 3);
	for (unsigned i = 0; i < 256; i = i == 0 ? TYPES + 1 : i + 1) {
		bytes[1] = (char)i;
		for (size_t n = HEAD; n < sizeof(bytes); n++)
			assert_int_equal(raft_message_get((struct span){bytes, n}, &got, &room, &e),
			                 -1);
	}
	raft_message_room_done(&room);
}

static void another_version_is_named(void **state)
{
	struct raft_message_room room = {.entries = NULL};
	struct raft_random_room from;
	uint64_t rand = seeded();
	struct raft_message m = raft_random_message(&rand, RAFT_TIMEOUT_NOW, &from);
	struct raft_message got;
	struct buf b = {0};
	struct err e;

	(void)state;
	raft_message_put(&b, &m);
	b.data[0] = RAFT_WIRE_VERSION + 1;
	assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), -1);
	assert_int_equal(e.code, EPROTONOSUPPORT);
	assert_string_equal(e.msg, "message of version 2, known is 1");
	/* So is one of a configuration, in a message. */
	m = raft_random_message(&rand, RAFT_SNAPSHOT, &from);
	buf_clear(&b);
	raft_message_put(&b, &m);
	b.data[HEAD + 2 * 8 + 4 * 8 + 4]++;
	assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), -1);
	assert_int_equal(e.code, EPROTONOSUPPORT);
	assert_string_equal(e.msg, "snapshot: configuration of version 2, known is 1");
	buf_done(&b);
}

static void a_message_without_an_address_is_refused(void **state)
{
	struct raft_message_room room = {.entries = NULL};
	struct raft_random_room from;
	uint64_t rand = seeded();
	struct buf b = {0};
	struct err e;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct raft_message m = raft_random_message(&rand, RAFT_READ, &from);
		struct raft_message got;

		m.cluster = i == 0 ? 0 : 1;
		m.from = i == 1 ? 0 : 2;
		m.to = i == 2 ? 0 : 3;
		buf_clear(&b);
		raft_message_put(&b, &m);
		assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), -1);
		assert_int_equal(e.code, EBADMSG);
	}
	buf_done(&b);
}

static struct raft_message append_of(const struct raft_entry *entries, size_t count)
{
	return (struct raft_message){
	    .type = RAFT_APPEND,
	    .cluster = 1,
	    .from = 2,
	    .to = 3,
	    .entries = entries,
	    .count = count,
	};
}

static void as_many_entries_as_the_limits_allow(void **state)
{
	struct raft_message_room room = {.entries = NULL};
	struct raft_entry *entries = calloc(RAFT_MESSAGE_ENTRIES_MAX, sizeof(entries[0]));
	struct raft_message m = append_of(entries, RAFT_MESSAGE_ENTRIES_MAX);
	struct raft_message got;
	struct buf b = {0};
	struct err e;

	(void)state;
	assert_non_null(entries);
	for (size_t i = 0; i < m.count; i++)
		entries[i].index = i + 1;
	raft_message_put(&b, &m);
	assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), 0);
	assert_same(&m, &got);
	/* One more, and bytes for it. */
	le_put32(b.data + AT_COUNT, RAFT_MESSAGE_ENTRIES_MAX + 1);
	raft_entry_put(&b, &entries[0]);
	assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), -1);
	assert_int_equal(e.code, EBADMSG);
	/* A count that the bytes cannot hold asks for no memory. */
	raft_message_room_done(&room);
	le_put32(b.data + AT_COUNT, 4000);
	assert_int_equal(
	    raft_message_get((struct span){b.data, AT_COUNT + 4 + (size_t)3999 * RAFT_ENTRY_HEAD},
	                     &got, &room, &e),
	    -1);
	assert_int_equal(room.capacity, 0);
	free(entries);
	buf_done(&b);
}

static void an_entry_as_long_as_the_limit_allows(void **state)
{
	struct raft_message_room room = {.entries = NULL};
	char *data = calloc(1, RAFT_ENTRY_MAX);
	struct raft_entry entry = {.index = 1, .data = {data, RAFT_ENTRY_MAX}};
	struct raft_message m = append_of(&entry, 1);
	struct raft_message got;
	struct buf b = {0};
	struct err e;

	(void)state;
	assert_non_null(data);
	raft_message_put(&b, &m);
	assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), 0);
	assert_same(&m, &got);
	buf_add_char(&b, 0);
	le_put32(b.data + AT_COUNT + 4 + RAFT_ENTRY_HEAD - 4, RAFT_ENTRY_MAX + 1);
	assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), -1);
	assert_int_equal(e.code, EBADMSG);
	raft_message_room_done(&room);
	free(data);
	buf_done(&b);
}

static void no_message_is_longer_than_the_limit(void **state)
{
	struct raft_message_room room = {.entries = NULL};
	char *data = calloc(1, RAFT_ENTRY_MAX);
	struct raft_entry entries[4] = {{0}};
	struct raft_message m = append_of(entries, 4);
	size_t head = AT_COUNT + 4 + (size_t)4 * RAFT_ENTRY_HEAD;
	struct raft_message got;
	struct buf b = {0};
	struct err e;

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < 4; i++)
		entries[i] =
		    (struct raft_entry){.index = 1 + i, .data = {data, RAFT_ENTRY_MAX - head / 4}};
	entries[3].data.len -= head % 4;
	raft_message_put(&b, &m);
	assert_int_equal(b.len, RAFT_MESSAGE_BYTES_MAX);
	assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), 0);
	buf_add_char(&b, 0);
	le_put32(b.data + b.len - 1 - entries[3].data.len - 4, (uint32_t)entries[3].data.len + 1);
	assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), -1);
	assert_int_equal(e.code, EBADMSG);
	assert_string_equal(e.msg, "message of 4194305 bytes, at most 4194304");
	raft_message_room_done(&room);
	free(data);
	buf_done(&b);
}

static void indexes_do_not_wrap(void **state)
{
	struct raft_message_room room = {.entries = NULL};
	struct raft_entry entry = {.index = 1};
	struct raft_message m = append_of(&entry, 1);
	struct raft_message got;
	struct buf b = {0};
	struct err e;

	(void)state;
	raft_message_put(&b, &m);
	le_put64(b.data + HEAD, UINT64_MAX - 2);
	assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), 0);
	assert_true(got.entries[0].index == UINT64_MAX - 1);
	le_put64(b.data + HEAD, UINT64_MAX - 1);
	assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), -1);
	raft_message_room_done(&room);
	buf_done(&b);
}

static void a_chunk_lies_within_its_snapshot(void **state)
{
	struct raft_message_room room = {.entries = NULL};
	struct raft_random_room from;
	uint64_t rand = seeded();
	struct raft_message m = raft_random_message(&rand, RAFT_SNAPSHOT, &from);
	size_t at_offset = HEAD + 4 * 8;
	struct raft_message got;
	struct buf b = {0};
	struct err e;

	(void)state;
	m.data = (struct span){from.data, 7};
	m.size = 100;
	m.offset = 93;
	raft_message_put(&b, &m);
	assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), 0);
	assert_same(&m, &got);
	for (int i = 0; i < 3; i++) {
		static const uint64_t bad[] = {94, 101, UINT64_MAX - 3};

		le_put64(b.data + at_offset, bad[i]);
		assert_int_equal(raft_message_get(as_span(&b), &got, &room, &e), -1);
		assert_int_equal(e.code, EBADMSG);
	}
	buf_done(&b);
}

/* A node that has only begun is told by one entry who its peers are. */
static void the_first_entry_names_the_members(void **state)
{
	uint64_t rand = seeded();
	struct raft_conf conf;
	struct raft_conf got;
	struct raft_entry first;
	struct buf room = {0};
	struct err e;

	(void)state;
	raft_random_conf(&rand, RAFT_MEMBERS_MAX, &conf);
	buf_add_str(&room, "before");
	first = raft_bootstrap(&conf, &room);
	assert_true(first.index == 1 && first.term == 1 && first.clock_ns == 0);
	assert_int_equal(first.type, RAFT_ENTRY_CONF);
	assert_int_equal(first.version, 1);
	assert_int_equal(conf_get(first.data, &got, &e), 0);
	assert_same_conf(&conf, &got);
	buf_done(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_type_survives_the_round_trip),
	    cmocka_unit_test(a_message_that_is_cut_or_too_long_is_refused),
	    cmocka_unit_test(each_flipped_bit_is_seen),
	    cmocka_unit_test(types_have_names),
	    cmocka_unit_test(another_version_is_named),
	    cmocka_unit_test(a_message_without_an_address_is_refused),
	    cmocka_unit_test(as_many_entries_as_the_limits_allow),
	    cmocka_unit_test(an_entry_as_long_as_the_limit_allows),
	    cmocka_unit_test(no_message_is_longer_than_the_limit),
	    cmocka_unit_test(indexes_do_not_wrap),
	    cmocka_unit_test(a_chunk_lies_within_its_snapshot),
	    cmocka_unit_test(the_first_entry_names_the_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
