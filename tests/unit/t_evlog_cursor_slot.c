/* cursor: names, members, and the slots as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "evlog/cursor.h"

#define NOW_NS INT64_C(1800000000123456000)

/* ---- Names. */

static void a_name_is_letters_digits_dot_underscore_and_dash(void **state)
{
	static const char *const good[] = {"a", "0", "a.b_c-D9", "_"};
	static const char *const bad[] = {"", ".a", "-a", "a/b", "a b", "a@1-2", "\xc3\xa4", "a\n"};
	char longest[CURSOR_NAME_MAX + 2];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(cursor_check_name(good[i], &e), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(cursor_check_name(bad[i], &e), -1);
		assert_int_equal(e.code, EINVAL);
	}
	memset(longest, 'x', sizeof(longest));
	longest[CURSOR_NAME_MAX] = '\0';
	assert_int_equal(cursor_check_name(longest, &e), 0);
	longest[CURSOR_NAME_MAX] = 'x';
	longest[CURSOR_NAME_MAX + 1] = '\0';
	assert_int_equal(cursor_check_name(longest, &e), -1);
}

static void an_id_goes_to_text_and_back(void **state)
{
	static const char *const bad[] = {"a@",     "a@1",     "a@0-2",  "a@3-2",   "a@1-1025",
	                                  "a@1-2x", "a@01-2",  "a@1-02", "a@-1-2",  "@1-2",
	                                  "a@new",  "a@1-2-3", "a@1 -2", "a@model", "a@1-"};
	char name[CURSOR_NAME_MAX + 1];
	char text[CURSOR_TEXT_MAX];
	char longest[CURSOR_NAME_MAX + 30];
	struct cursor_id id;
	struct err e;

	(void)state;
	assert_int_equal(cursor_parse_id("a.b", name, &id, &e), 0);
	assert_string_equal(id.name, "a.b");
	assert_int_equal(id.members, 0);
	assert_int_equal(cursor_parse_id("a@1024-1024", name, &id, &e), 0);
	assert_int_equal(id.member, 1024);
	cursor_id_text(text, &id);
	assert_string_equal(text, "a@1024-1024");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(cursor_parse_id(bad[i], name, &id, &e), -1);
		assert_int_equal(e.code, EINVAL);
	}
	memset(longest, 'x', sizeof(longest));
	snprintf(longest + CURSOR_NAME_MAX, 30, "@1024-1024");
	assert_int_equal(cursor_parse_id(longest, name, &id, &e), 0);
	cursor_id_text(text, &id);
	assert_string_equal(text, longest);
	snprintf(longest + CURSOR_NAME_MAX, 30, "x@1-2");
	assert_int_equal(cursor_parse_id(longest, name, &id, &e), -1);
}

static void every_stream_has_one_member_and_every_member_has_streams(void **state)
{
	unsigned count[8] = {0};
	char stream[16];

	(void)state;
	for (int i = 0; i < 8000; i++) {
		int len = snprintf(stream, sizeof(stream), "order-%d", i);
		uint32_t k = cursor_member_of(stream, (size_t)len, 8);

		assert_in_range(k, 1, 8);
		assert_int_equal(k, cursor_member_of(stream, (size_t)len, 8));
		assert_int_equal(cursor_member_of(stream, (size_t)len, 1), 1);
		count[k - 1]++;
	}
	for (int i = 0; i < 8; i++)
		assert_in_range(count[i], 800, 1200);
	/* What an earlier version has written stays where it was. */
	assert_int_equal(cursor_member_of("order-42", 8, 1000), 999);
}

/* ---- Slots. */

static struct cursor_state full_state(void)
{
	struct cursor_state st = {.sequence = UINT64_MAX,
	                          .save = UINT64_MAX,
	                          .time_ns = NOW_NS,
	                          .event_ns = UINT64_MAX,
	                          .tries = UINT32_MAX};

	memset(st.selector, 's', CURSOR_SELECTOR_MAX);
	memset(st.program, 'f', CURSOR_PROGRAM_LEN);
	return st;
}

static void the_fullest_slot_goes_to_text_and_back(void **state)
{
	struct cursor_state st = full_state();
	struct cursor_state back;
	char slot[CURSOR_SLOT];

	(void)state;
	cursor_slot_put(slot, &st, 7);
	assert_int_equal(slot[CURSOR_SLOT - 1], '\n');
	assert_null(memchr(slot, '\0', sizeof(slot)));
	assert_true(cursor_slot_get(slot, 7, &back));
	assert_memory_equal(&back, &st, sizeof(st));
	assert_false(cursor_slot_get(slot, 8, &back));
}

static void no_slot_with_a_flipped_bit_is_sound(void **state)
{
	struct cursor_state st = full_state();
	struct cursor_state back;
	char slot[CURSOR_SLOT];
	size_t sound = 0;

	(void)state;
	memset(st.selector + 5, 0, sizeof(st.selector) - 5);
	cursor_slot_put(slot, &st, 7);
	for (size_t bit = 0; bit < 8 * sizeof(slot); bit++) {
		slot[bit / 8] = (char)(slot[bit / 8] ^ 1 << bit % 8);
		if (cursor_slot_get(slot, 7, &back)) {
			assert_memory_equal(&back, &st, sizeof(st));
			sound += 1;
		}
		slot[bit / 8] = (char)(slot[bit / 8] ^ 1 << bit % 8);
	}
	/* The padding behind the checksum means nothing. */
	assert_true(sound < 8 * (sizeof(slot) - 140));
	for (size_t n = 0; n < sizeof(slot); n++) {
		char cut[CURSOR_SLOT] = {0};

		memcpy(cut, slot, n);
		if (cursor_slot_get(cut, 7, &back))
			assert_memory_equal(&back, &st, sizeof(st));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_name_is_letters_digits_dot_underscore_and_dash),
	    cmocka_unit_test(an_id_goes_to_text_and_back),
	    cmocka_unit_test(every_stream_has_one_member_and_every_member_has_streams),
	    cmocka_unit_test(the_fullest_slot_goes_to_text_and_back),
	    cmocka_unit_test(no_slot_with_a_flipped_bit_is_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
