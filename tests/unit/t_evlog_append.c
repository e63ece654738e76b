/* append: what a commit may do to a store, and what it answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include <cmocka.h>

#include "evlog/append.h"
#include "evlog/read.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "tmp_dir.h"

struct place {
	char *dir;
	struct evlog *s;
	struct commit *c;
	struct commit_result r;
	struct err e;
	struct acks acks;
};

static struct place open_sized(uint64_t segment_size)
{
	struct place p = {.dir = tmp_dir_new(), .c = commit_new()};

	if (check_create(p.dir, segment_size, NULL, &p.e) < 0)
		fail_msg("%s", p.e.msg);
	p.s = check_open(p.dir, NULL, &p.e);
	if (p.s == NULL)
		fail_msg("%s", p.e.msg);
	return p;
}

static struct place open_place(void)
{
	return open_sized(0);
}

/* Whatever a test did, the store has to be sound in the end. */
static void close_place(struct place *p)
{
	if (p->s != NULL && evlog_check_store(p->s, &p->acks, CHECK_ALL, &p->e) < 0)
		fail_msg("%s", p->e.msg);
	evlog_close(p->s);
	commit_free(p->c);
	acks_done(&p->acks);
	tmp_dir_free(p->dir);
}

/* 0, or the error's code. */
static int try_commit(struct place *p, enum commit_mode mode, const char *words)
{
	int r;

	commit_clear(p->c);
	if (check_fill(p->s, p->c, words, &p->e) < 0)
		fail_msg("%s", p->e.msg);
	r = evlog_commit(p->s, p->c, mode, CHECK_TIME_NS, &p->r, &p->e);
	if (r == 0 && evlog_sync(p->s, p->r.sequence, &p->e) < 0)
		fail_msg("%s", p->e.msg);
	return r == 0 ? 0 : p->e.code;
}

static int atomic(struct place *p, const char *words)
{
	int r = try_commit(p, COMMIT_ATOMIC, words);

	if (r == 0)
		check_note_commit(&p->acks, p->c, commit_count(p->c));
	return r;
}

static int each(struct place *p, const char *words)
{
	return try_commit(p, COMMIT_EACH, words);
}

static void assert_receipt(struct place *p, size_t i, const char *stream, uint32_t first,
                           uint32_t last, uint32_t count, uint32_t known)
{
	const struct receipt *r = &p->r.receipts[i];

	assert_true(i < p->r.receipt_count);
	assert_int_equal(r->stream.len, strlen(stream));
	assert_memory_equal(r->stream.p, stream, r->stream.len);
	assert_int_equal(r->first, first);
	assert_int_equal(r->last, last);
	assert_int_equal(r->count, count);
	assert_int_equal(r->known, known);
}

static uint64_t written(struct place *p)
{
	return ctl_get(&p->s->ctl->written);
}

static void assert_conflict(struct place *p, const char *stream, const char *expected,
                            const char *actual)
{
	char text[EXPECT_TEXT_MAX];

	assert_int_equal(p->r.stream.len, strlen(stream));
	assert_memory_equal(p->r.stream.p, stream, p->r.stream.len);
	expect_text(text, &p->r.expected);
	assert_string_equal(text, expected);
	expect_text(text, &p->r.actual);
	assert_string_equal(text, actual);
}

static void versions_begin_at_0_and_sequences_at_1(void **state)
{
	struct place p = open_place();

	(void)state;
	assert_int_equal(evlog_durable(p.s), 0);
	assert_int_equal(atomic(&p, "a b a a"), 0);
	assert_int_equal(p.r.sequence, 4);
	assert_int_equal(p.r.receipt_count, 2);
	assert_receipt(&p, 0, "a", 0, 2, 3, 0);
	assert_receipt(&p, 1, "b", 0, 0, 1, 0);
	assert_int_equal(p.r.receipts[0].sequence, 4);
	assert_int_equal(p.r.receipts[1].sequence, 2);
	assert_int_equal(atomic(&p, "b a"), 0);
	assert_receipt(&p, 0, "b", 1, 1, 1, 0);
	assert_receipt(&p, 1, "a", 3, 3, 1, 0);
	close_place(&p);
}

static void an_expected_version_is_held_against_the_stream(void **state)
{
	struct place p = open_place();

	(void)state;
	assert_int_equal(atomic(&p, "a?exists"), EVLOG_CONFLICT);
	assert_conflict(&p, "a", "exists", "none");
	assert_int_equal(atomic(&p, "a?0"), EVLOG_CONFLICT);
	assert_conflict(&p, "a", "0", "none");
	assert_int_equal(written(&p), 0);
	assert_int_equal(atomic(&p, "a?none"), 0);
	assert_int_equal(atomic(&p, "a?none"), EVLOG_CONFLICT);
	assert_conflict(&p, "a", "none", "0");
	assert_int_equal(atomic(&p, "a?1"), EVLOG_CONFLICT);
	assert_conflict(&p, "a", "1", "0");
	assert_int_equal(atomic(&p, "a?0"), 0);
	assert_int_equal(atomic(&p, "a?exists"), 0);
	assert_int_equal(atomic(&p, "a?any"), 0);
	assert_int_equal(written(&p), 4);
	close_place(&p);
}

static void expectations_run_along_with_the_events_of_a_commit(void **state)
{
	struct place p = open_place();

	(void)state;
	assert_int_equal(atomic(&p, "a?none b a?0 a?1 b?exists b?1"), 0);
	assert_int_equal(atomic(&p, "a?2 b?2 a?2"), EVLOG_CONFLICT);
	assert_int_equal(p.r.bad_event, 2);
	assert_conflict(&p, "a", "2", "3");
	assert_int_equal(written(&p), 6);
	close_place(&p);
}

static void an_atomic_commit_with_a_conflict_anywhere_writes_nothing(void **state)
{
	struct place p = open_place();

	(void)state;
	assert_int_equal(atomic(&p, "a"), 0);
	for (int bad = 0; bad < 4; bad++) {
		char words[128] = "";

		for (int i = 0; i < 4; i++)
			snprintf(words + strlen(words), sizeof(words) - strlen(words), "%sx%d%s",
			         i > 0 ? " " : "", i, i == bad ? "?5" : "");
		assert_int_equal(atomic(&p, words), EVLOG_CONFLICT);
		assert_int_equal(p.r.bad_event, bad);
		assert_int_equal(written(&p), 1);
	}
	close_place(&p);
}

static void a_repeated_commit_is_known_and_answers_as_the_first_one(void **state)
{
	struct place p = open_place();

	(void)state;
	assert_int_equal(atomic(&p, "a a=1?0 b=2 a=3"), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(atomic(&p, "a=1?0 b=2?none a=3"), 0);
		assert_int_equal(p.r.receipt_count, 2);
		assert_receipt(&p, 0, "a", 1, 2, 0, 2);
		assert_receipt(&p, 1, "b", 0, 0, 0, 1);
		assert_int_equal(p.r.receipts[0].sequence, 4);
		assert_int_equal(p.r.receipts[1].sequence, 3);
		assert_int_equal(written(&p), 4);
		assert_int_equal(atomic(&p, "a=3"), 0);
		assert_receipt(&p, 0, "a", 2, 2, 0, 1);
		if (i == 0) {
			evlog_close(p.s);
			p.s = check_open(p.dir, NULL, &p.e);
			assert_non_null(p.s);
		}
	}
	close_place(&p);
}

static void an_atomic_commit_that_is_partly_known_writes_nothing(void **state)
{
	struct place p = open_place();

	(void)state;
	assert_int_equal(atomic(&p, "a=1 a=2"), 0);
	assert_int_equal(atomic(&p, "a=1 a=3"), EVLOG_ID_REUSED);
	assert_int_equal(atomic(&p, "a=3 a=1"), EVLOG_ID_REUSED);
	assert_int_equal(p.r.bad_event, 1);
	assert_int_equal(atomic(&p, "a=1 a"), EVLOG_ID_REUSED);
	assert_int_equal(atomic(&p, "b=7 b=7"), EVLOG_ID_REUSED);
	assert_int_equal(written(&p), 2);
	close_place(&p);
}

static void an_id_with_other_content_is_refused_and_in_another_stream_it_is_new(void **state)
{
	struct place p = open_place();

	(void)state;
	assert_int_equal(atomic(&p, "a=1*30"), 0);
	assert_int_equal(atomic(&p, "a=1*31"), EVLOG_ID_REUSED);
	assert_int_equal(each(&p, "a=1*31"), EVLOG_ID_REUSED);
	assert_int_equal(atomic(&p, "b=1*31"), 0);
	assert_int_equal(written(&p), 2);
	close_place(&p);
}

static void an_id_that_the_store_made_can_be_named_by_a_caller_later(void **state)
{
	struct place p = open_place();

	(void)state;
	assert_int_equal(atomic(&p, "a"), 0); /* its id is own-0 */
	assert_int_equal(atomic(&p, "a=own-0"), 0);
	assert_receipt(&p, 0, "a", 0, 0, 0, 1);
	assert_int_equal(atomic(&p, "a=own-0*50"), EVLOG_ID_REUSED);
	close_place(&p);
}

static void a_plain_commit_skips_known_events_one_by_one(void **state)
{
	struct place p = open_place();

	(void)state;
	assert_int_equal(atomic(&p, "a=1 a=2 b=1"), 0);
	assert_int_equal(each(&p, "a=2 a=3 b=1 a=1 a=4*300 c=1"), 0);
	assert_int_equal(p.r.receipt_count, 3);
	assert_receipt(&p, 0, "a", 2, 3, 2, 2);
	assert_receipt(&p, 1, "b", 0, 0, 0, 1);
	assert_receipt(&p, 2, "c", 0, 0, 1, 0);
	assert_int_equal(p.r.receipts[0].sequence, 5);
	assert_int_equal(p.r.sequence, 6);
	assert_int_equal(each(&p, "a=3 a=4*300"), 0);
	assert_receipt(&p, 0, "a", 2, 3, 0, 2);
	assert_int_equal(written(&p), 6);
	close_place(&p);
}

static void a_twin_in_a_plain_commit_is_known_too(void **state)
{
	struct place p = open_place();

	(void)state;
	assert_int_equal(each(&p, "a=1 b a=1 a=2 a=1"), 0);
	assert_receipt(&p, 0, "a", 0, 1, 2, 2);
	assert_int_equal(written(&p), 3);
	assert_int_equal(each(&p, "a=9 a=9*99 a=10"), EVLOG_ID_REUSED);
	assert_int_equal(p.r.bad_event, 1);
	assert_int_equal(evlog_sync(p.s, p.r.sequence, &p.e), 0);
	assert_int_equal(written(&p), 4);
	close_place(&p);
}

static void a_plain_commit_writes_all_before_its_bad_event(void **state)
{
	struct place p = open_place();

	(void)state;
	assert_int_equal(atomic(&p, "a=1"), 0);
	assert_int_equal(each(&p, "a=1 a=2 b=1 a=1*99 a=3"), EVLOG_ID_REUSED);
	assert_int_equal(p.r.bad_event, 3);
	assert_int_equal(p.r.receipt_count, 2);
	assert_receipt(&p, 0, "a", 1, 1, 1, 1);
	assert_receipt(&p, 1, "b", 0, 0, 1, 0);
	assert_int_equal(p.r.sequence, 3);
	assert_int_equal(evlog_sync(p.s, p.r.sequence, &p.e), 0);
	assert_int_equal(each(&p, "a b?7 c"), EVLOG_CONFLICT);
	assert_int_equal(p.r.bad_event, 1);
	assert_receipt(&p, 0, "a", 2, 2, 1, 0);
	assert_int_equal(evlog_sync(p.s, p.r.sequence, &p.e), 0);
	assert_int_equal(written(&p), 4);
	assert_int_equal(each(&p, "b?7"), EVLOG_CONFLICT);
	assert_int_equal(p.r.receipt_count, 0);
	assert_int_equal(written(&p), 4);
	close_place(&p);
}

static int check_and_commit(struct place *p, const char *stream, const char *expect,
                            const char *words)
{
	struct expect x;
	int r;

	commit_clear(p->c);
	assert_int_equal(expect_parse(expect, strlen(expect), &x, &p->e), 0);
	assert_int_equal(commit_check(p->c, span_str(stream), x, &p->e), 0);
	if (check_fill(p->s, p->c, words, &p->e) < 0)
		fail_msg("%s", p->e.msg);
	r = evlog_commit(p->s, p->c, COMMIT_ATOMIC, CHECK_TIME_NS, &p->r, &p->e);
	return r == 0 ? evlog_sync(p->s, p->r.sequence, &p->e) : p->e.code;
}

static void a_stream_that_is_only_checked_is_held_against_its_expectation(void **state)
{
	struct place p = open_place();

	(void)state;
	assert_int_equal(atomic(&p, "a a"), 0);
	assert_int_equal(check_and_commit(&p, "a", "0", "b"), EVLOG_CONFLICT);
	assert_conflict(&p, "a", "0", "1");
	assert_int_equal(check_and_commit(&p, "z", "exists", "b"), EVLOG_CONFLICT);
	assert_int_equal(written(&p), 2);
	assert_int_equal(check_and_commit(&p, "z", "none", "b=1"), 0);
	assert_int_equal(check_and_commit(&p, "a", "1", "a"), 0);
	/* known: not looked at again */
	assert_int_equal(check_and_commit(&p, "a", "0", "b=1"), 0);
	assert_int_equal(written(&p), 4);
	assert_int_equal(check_and_commit(&p, "a", "7", ""), EVLOG_CONFLICT);
	assert_int_equal(check_and_commit(&p, "a", "2", ""), 0);
	close_place(&p);
}

static void limits_are_errors_and_the_commit_stays_usable(void **state)
{
	struct place p = open_place();
	char *big = malloc(FRAME_DATA_MAX + 1);
	struct event ev = {.stream = {"a", 1}, .type = {"T", 1}, .id = {"i", 1}, .attrs = {"-", 1}};
	int checks = 0;

	(void)state;
	memset(big, 'x', FRAME_DATA_MAX + 1);
	ev.data = (struct span){big, FRAME_DATA_MAX + 1};
	assert_int_equal(commit_add(p.c, p.s, &ev, &p.e), -1);
	assert_int_equal(p.e.code, EVLOG_BAD_EVENT);
	ev.data.len = 1;
	ev.attrs = (struct span){big, FRAME_ATTRS_MAX + 1};
	assert_int_equal(commit_add(p.c, p.s, &ev, &p.e), -1);
	ev.attrs = (struct span){"-", 1};
	ev.data.len = FRAME_DATA_MAX;
	assert_int_equal(commit_add(p.c, p.s, &ev, &p.e), 0);
	assert_int_equal(commit_count(p.c), 1);
	assert_int_equal(evlog_commit(p.s, p.c, COMMIT_ATOMIC, 1, &p.r, &p.e), 0);
	assert_int_equal(evlog_sync(p.s, p.r.sequence, &p.e), 0);
	commit_clear(p.c);
	ev.data.len = 1;
	for (size_t i = 0; i < COMMIT_EVENTS_MAX; i++)
		assert_int_equal(commit_add(p.c, p.s, &ev, &p.e), 0);
	assert_int_equal(commit_add(p.c, p.s, &ev, &p.e), -1);
	while (commit_check(p.c, ev.stream, (struct expect){0}, &p.e) == 0)
		checks++;
	assert_int_equal(checks, COMMIT_CHECKS_MAX);
	free(big);
	close_place(&p);
}

/* Attributes for all events make frames much larger than the input was. */
static void a_commit_has_a_limit_of_bytes_too(void **state)
{
	struct place p = open_place();
	char *attrs = malloc(FRAME_ATTRS_MAX);
	struct event ev = {.stream = {"a", 1},
	                   .type = {"T", 1},
	                   .id = {"i", 1},
	                   .attrs = {attrs, FRAME_ATTRS_MAX},
	                   .data = {"1", 1}};
	size_t n = 0;

	(void)state;
	memset(attrs, 'x', FRAME_ATTRS_MAX);
	while (n * FRAME_ATTRS_MAX < 300u << 20 && commit_add(p.c, p.s, &ev, &p.e) == 0)
		n++;
	assert_true(n > 0 && n * FRAME_ATTRS_MAX < 256u << 20);
	assert_int_equal(p.e.code, EVLOG_BAD_EVENT);
	free(attrs);
	close_place(&p);
}

static void expectations_are_parsed_or_refused(void **state)
{
	static const char *const bad[] = {"",
	                                  "Any",
	                                  "any ",
	                                  "-1",
	                                  "+1",
	                                  "1 ",
	                                  "0x1",
	                                  "1a",
	                                  "nonee",
	                                  "4294967295",
	                                  "99999999999999999999"};
	struct expect x;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (expect_parse(bad[i], strlen(bad[i]), &x, &e) == 0)
			fail_msg("'%s'", bad[i]);
	assert_int_equal(expect_parse("4294967294", 10, &x, &e), 0);
	assert_true(x.kind == EXPECT_VERSION && x.version == 4294967294u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(versions_begin_at_0_and_sequences_at_1),
	    cmocka_unit_test(an_expected_version_is_held_against_the_stream),
	    cmocka_unit_test(expectations_run_along_with_the_events_of_a_commit),
	    cmocka_unit_test(an_atomic_commit_with_a_conflict_anywhere_writes_nothing),
	    cmocka_unit_test(a_repeated_commit_is_known_and_answers_as_the_first_one),
	    cmocka_unit_test(an_atomic_commit_that_is_partly_known_writes_nothing),
	    cmocka_unit_test(an_id_with_other_content_is_refused_and_in_another_stream_it_is_new),
	    cmocka_unit_test(an_id_that_the_store_made_can_be_named_by_a_caller_later),
	    cmocka_unit_test(a_plain_commit_skips_known_events_one_by_one),
	    cmocka_unit_test(a_twin_in_a_plain_commit_is_known_too),
	    cmocka_unit_test(a_plain_commit_writes_all_before_its_bad_event),
	    cmocka_unit_test(a_stream_that_is_only_checked_is_held_against_its_expectation),
	    cmocka_unit_test(limits_are_errors_and_the_commit_stays_usable),
	    cmocka_unit_test(a_commit_has_a_limit_of_bytes_too),
	    cmocka_unit_test(expectations_are_parsed_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
