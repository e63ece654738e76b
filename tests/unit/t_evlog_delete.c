/* deletion of streams: what is left under the name, versions, ids, and pointers that stop at it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evlog/admin.h"
#include "evlog/append.h"
#include "evlog/read.h"
#include "evlog/store_impl.h"
#include "evlog_place.h"
#include "seeded.h"
#include "tmp_dir.h"

/* Whatever a test did, the store has to be sound in the end, also with an index made anew. */
static void close_place(struct evlog_place *p)
{
	if (evlog_check_store(p->s, &p->acks, CHECK_ALL, &p->e) < 0 ||
	    evlog_reindex(p->s, &p->e) < 0)
		fail_msg("%s", p->e.msg);
	evlog_place_end(p);
}

/* 0, or the error's code. */
static int put(struct evlog_place *p, const char *words)
{
	return check_append(p->s, words, &p->acks, &p->e) < 0 ? p->e.code : 0;
}

/* The same for what stands there already. */
static int put_known(struct evlog_place *p, const char *words)
{
	return check_append(p->s, words, NULL, &p->e) < 0 ? p->e.code : 0;
}

/* The versions that are read of a stream, "3 4 5"; "none", "deleted". */
static const char *versions(struct evlog_place *p, const char *stream, uint32_t from, uint32_t to)
{
	struct frame f;
	int r = evlog_head(p->s, span_str(stream), evlog_durable(p->s), &f, &p->e);

	if (r > 0)
		return evlog_place_versions(p, stream, from, to);
	return r == 0 ? "none" : p->e.code == EVLOG_DELETED ? "deleted" : p->e.msg;
}

static uint32_t first_of(struct evlog_place *p, const char *stream)
{
	uint32_t first = 77777;

	assert_int_equal(evlog_first(p->s, span_str(stream), evlog_durable(p->s), &first, &p->e),
	                 1);
	return first;
}

static void by_its_name_a_deleted_stream_does_not_exist(void **state)
{
	struct evlog_place p = evlog_place_new(0);
	struct frame f;
	uint32_t first;

	(void)state;
	assert_int_equal(put(&p, "a a b a"), 0);
	assert_int_equal(put(&p, "~a"), 0);
	assert_string_equal(versions(&p, "a", 0, UINT32_MAX), "none");
	assert_int_equal(evlog_at(p.s, span_str("a"), 1, 5, &f, &p.e), 0);
	assert_int_equal(evlog_at(p.s, span_str("a"), 3, 5, &f, &p.e), 0);
	assert_int_equal(evlog_first(p.s, span_str("a"), 5, &first, &p.e), 0);
	/* As it was before: */
	assert_int_equal(evlog_head(p.s, span_str("a"), 4, &f, &p.e), 1);
	assert_int_equal(f.version, 2);
	assert_int_equal(evlog_get(p.s, 5, &f, &p.e), 1);
	assert_int_equal(f.kind, FRAME_DELETED);
	assert_int_equal(f.version, 3);
	assert_string_equal(versions(&p, "b", 0, UINT32_MAX), "0");
	close_place(&p);
}

static void a_deleted_stream_goes_on_with_the_next_version(void **state)
{
	struct evlog_place p = evlog_place_new(0);
	struct frame f;

	(void)state;
	assert_int_equal(put(&p, "a a a"), 0);
	assert_int_equal(put(&p, "~a"), 0);
	assert_int_equal(put(&p, "a?exists"), EVLOG_CONFLICT);
	assert_int_equal(put(&p, "a?2"), EVLOG_CONFLICT);
	assert_int_equal(put(&p, "a?none a a a a"), 0);
	assert_string_equal(versions(&p, "a", 0, UINT32_MAX), "4 5 6 7 8");
	assert_string_equal(versions(&p, "a", 6, 7), "6 7");
	assert_string_equal(versions(&p, "a", 0, 4), "4");
	assert_string_equal(versions(&p, "a", 0, 3), "");
	assert_string_equal(versions(&p, "a", 1, 2), "");
	assert_int_equal(first_of(&p, "a"), 4);
	for (uint32_t v = 0; v < 10; v++)
		assert_int_equal(evlog_at(p.s, span_str("a"), v, evlog_durable(p.s), &f, &p.e),
		                 v >= 4 && v <= 8);
	close_place(&p);
}

static void the_version_of_a_deletion_may_be_expected(void **state)
{
	struct evlog_place p = evlog_place_new(0);

	(void)state;
	assert_int_equal(put(&p, "a a"), 0);
	assert_int_equal(put(&p, "~a?0"), EVLOG_CONFLICT);
	assert_int_equal(put(&p, "~a?1"), 0);
	assert_int_equal(put(&p, "a?2"), 0);
	assert_string_equal(versions(&p, "a", 0, UINT32_MAX), "3");
	close_place(&p);
}

static void what_does_not_exist_cannot_be_deleted(void **state)
{
	struct evlog_place p = evlog_place_new(0);

	(void)state;
	assert_int_equal(put(&p, "~a"), EVLOG_NO_STREAM);
	assert_int_equal(put(&p, "!a"), EVLOG_NO_STREAM);
	assert_int_equal(put(&p, "a"), 0);
	assert_int_equal(put(&p, "~a"), 0);
	assert_int_equal(put(&p, "~a"), EVLOG_NO_STREAM);
	assert_int_equal(evlog_durable(p.s), 2);
	close_place(&p);
}

static void a_stream_that_is_deleted_for_good_takes_nothing_any_more(void **state)
{
	struct evlog_place p = evlog_place_new(0);
	struct frame f;

	(void)state;
	assert_int_equal(put(&p, "a=1 b a"), 0);
	assert_int_equal(put(&p, "!a"), 0);
	assert_string_equal(versions(&p, "a", 0, UINT32_MAX), "deleted");
	assert_int_equal(evlog_at(p.s, span_str("a"), 0, 4, &f, &p.e), -1);
	assert_int_equal(p.e.code, EVLOG_DELETED);
	assert_int_equal(put(&p, "a"), EVLOG_DELETED);
	assert_int_equal(put(&p, "a=1"), EVLOG_DELETED);
	assert_int_equal(put(&p, "b a?none b"), EVLOG_DELETED);
	assert_int_equal(evlog_durable(p.s), 4);
	/* To delete it again changes nothing. */
	assert_int_equal(put_known(&p, "!a"), 0);
	assert_int_equal(put_known(&p, "~a"), 0);
	assert_int_equal(evlog_durable(p.s), 4);
	close_place(&p);
}

static void a_deleted_stream_can_still_be_deleted_for_good(void **state)
{
	struct evlog_place p = evlog_place_new(0);

	(void)state;
	assert_int_equal(put(&p, "a"), 0);
	assert_int_equal(put(&p, "~a"), 0);
	assert_int_equal(put(&p, "!a"), 0);
	assert_string_equal(versions(&p, "a", 0, UINT32_MAX), "deleted");
	assert_int_equal(evlog_durable(p.s), 3);
	close_place(&p);
}

static void an_id_is_free_again_after_a_deletion(void **state)
{
	struct evlog_place p = evlog_place_new(EVLOG_SEGMENT_MIN);
	struct frame f;

	(void)state;
	assert_int_equal(put(&p, "a=x a=y*9000"), 0);
	assert_int_equal(put(&p, "b*9000"), 0);
	assert_int_equal(put_known(&p, "a=x"), 0);
	assert_int_equal(evlog_durable(p.s), 3);
	assert_int_equal(evlog_find(p.s, span_str("a"), span_str("x"), UINT64_MAX, &f, &p.e), 1);
	assert_int_equal(put(&p, "~a"), 0);
	assert_int_equal(evlog_find(p.s, span_str("a"), span_str("x"), UINT64_MAX, &f, &p.e), 0);
	assert_int_equal(put(&p, "a=x*77?none"), 0);
	assert_int_equal(evlog_durable(p.s), 5);
	assert_int_equal(evlog_find(p.s, span_str("a"), span_str("x"), UINT64_MAX, &f, &p.e), 1);
	assert_int_equal(f.seq, 5);
	assert_int_equal(put(&p, "a=x*78"), EVLOG_ID_REUSED);
	assert_int_equal(put(&p, "b=1*9000 a b=2*9000 a"), 0);
	assert_int_equal(put(&p, "a=x*78"), EVLOG_ID_REUSED);
	assert_int_equal(put_known(&p, "a=x*77"), 0);
	assert_int_equal(put(&p, "a=y*20"), 0);
	close_place(&p);
}

static void a_check_knows_deletions(void **state)
{
	struct evlog_place p = evlog_place_new(0);
	struct commit *c = commit_new();
	struct commit_result r;
	static const struct {
		const char *stream;
		enum expect_kind kind;
		int code;
	} checks[] = {{"soft", EXPECT_NONE, 0},
	              {"soft", EXPECT_EXISTS, EVLOG_CONFLICT},
	              {"hard", EXPECT_NONE, EVLOG_DELETED},
	              {"hard", EXPECT_ANY, EVLOG_DELETED}};

	(void)state;
	assert_int_equal(put(&p, "soft hard"), 0);
	assert_int_equal(put(&p, "~soft !hard"), 0);
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		struct expect x = {.kind = checks[i].kind};
		int done;

		commit_clear(c);
		assert_int_equal(commit_check(c, span_str(checks[i].stream), x, &p.e), 0);
		done = evlog_commit(p.s, c, COMMIT_ATOMIC, CHECK_TIME_NS, &r, &p.e);
		assert_int_equal(done < 0 ? p.e.code : 0, checks[i].code);
	}
	commit_free(c);
	close_place(&p);
}

static int count(const struct frame *head, void *arg, struct err *e)
{
	(void)head;
	(void)e;
	++*(int *)arg;
	return 0;
}

static void the_list_of_streams_leaves_deleted_ones_out(void **state)
{
	struct evlog_place p = evlog_place_new(0);
	int n = 0;

	(void)state;
	assert_int_equal(put(&p, "a b c d"), 0);
	assert_int_equal(put(&p, "~a !b ~c"), 0);
	assert_int_equal(put(&p, "c"), 0);
	assert_int_equal(evlog_each_stream(p.s, evlog_durable(p.s), count, &n, &p.e), 0);
	assert_int_equal(n, 2);
	close_place(&p);
}

/*
 * Streams of many versions with deletions at random places, over segments: reading by name is
 * compared with a model, the pointers are checked by close_place().
 */
static void random_deletions_are_where_streams_begin(void **state)
{
	uint64_t rand = seeded();
	struct evlog_place p = evlog_place_new(EVLOG_SEGMENT_MIN);
	uint32_t next[4] = {0}, first[4] = {0};
	char words[64];

	(void)state;
	for (int i = 0; i < 700; i++) {
		unsigned x = (unsigned)seeded_below(&rand, 4);
		bool exists = next[x] > first[x];
		bool deletes = seeded_below(&rand, 25) == 0;
		int code;

		snprintf(words, sizeof(words), deletes ? "~s%u" : "s%u*%u", x,
		         (unsigned)seeded_below(&rand, 90));
		code = put(&p, words);
		assert_int_equal(code, deletes && !exists ? EVLOG_NO_STREAM : 0);
		if (code == 0)
			next[x]++;
		if (code == 0 && deletes)
			first[x] = next[x];
	}
	for (unsigned x = 0; x < 4; x++) {
		uint64_t end = evlog_durable(p.s);
		char name[8];
		struct frame f;
		uint32_t got = 0;

		snprintf(name, sizeof(name), "s%u", x);
		assert_int_equal(evlog_first(p.s, span_str(name), end, &got, &p.e),
		                 next[x] > first[x]);
		if (next[x] > first[x])
			assert_int_equal(got, first[x]);
		for (uint32_t v = 0; v < next[x] + 2; v++) {
			struct seqs seqs = {0};
			bool there = v >= first[x] && v < next[x];

			assert_int_equal(evlog_at(p.s, span_str(name), v, end, &f, &p.e), there);
			assert_int_equal(evlog_gather(p.s, span_str(name), 0, v, end, &seqs, &p.e),
			                 0);
			assert_int_equal(seqs.len, v < first[x]   ? 0
			                           : v >= next[x] ? next[x] - first[x]
			                                          : v - first[x] + 1);
			seqs_done(&seqs);
		}
	}
	close_place(&p);
}

/* An imported event keeps its version, and so does a stream that begins with a later one. */
static void an_imported_stream_may_begin_with_any_version(void **state)
{
	struct evlog_place p = evlog_place_new(0);
	struct commit *c = commit_new();
	struct commit_result r;
	const struct event ev = {.stream = {"a", 1},
	                         .type = {"T", 1},
	                         .id = {"i", 1},
	                         .id_given = true,
	                         .attrs = {"-", 1},
	                         .data = {"1", 1}};

	(void)state;
	for (uint32_t v = 5; v < 40; v++) {
		struct event one = ev;
		char id[16];

		snprintf(id, sizeof(id), "%u", v % 7 == 0 ? v - 7 : v);
		one.id = span_str(id);
		one.expect = (struct expect){.kind = EXPECT_BECOMES, .version = v};
		if (v % 7 == 0)
			event_deletes(&one, false);
		if (commit_count(c) == 9)
			commit_clear(c);
		assert_int_equal(commit_add(c, p.s, &one, &p.e), 0);
		if (commit_count(c) < 9 && v < 39)
			continue;
		if (evlog_commit(p.s, c, COMMIT_EACH, 1, &r, &p.e) < 0 ||
		    evlog_sync(p.s, r.sequence, &p.e) < 0)
			fail_msg("%s", p.e.msg);
		assert_int_equal(r.receipts[0].last, v);
		/* And again: all of it is known. */
		assert_int_equal(evlog_commit(p.s, c, COMMIT_EACH, 1, &r, &p.e), 0);
		assert_int_equal(r.receipts[0].count, 0);
	}
	assert_int_equal(evlog_durable(p.s), 35);
	assert_string_equal(versions(&p, "a", 0, UINT32_MAX), "36 37 38 39");
	assert_int_equal(first_of(&p, "a"), 36);
	commit_free(c);
	assert_int_equal(evlog_verify(p.s, true, (finding_fn *)NULL, NULL, &p.e), 0);
	evlog_close(p.s);
	tmp_dir_free(p.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(by_its_name_a_deleted_stream_does_not_exist),
	    cmocka_unit_test(a_deleted_stream_goes_on_with_the_next_version),
	    cmocka_unit_test(the_version_of_a_deletion_may_be_expected),
	    cmocka_unit_test(what_does_not_exist_cannot_be_deleted),
	    cmocka_unit_test(a_stream_that_is_deleted_for_good_takes_nothing_any_more),
	    cmocka_unit_test(a_deleted_stream_can_still_be_deleted_for_good),
	    cmocka_unit_test(an_id_is_free_again_after_a_deletion),
	    cmocka_unit_test(a_check_knows_deletions),
	    cmocka_unit_test(the_list_of_streams_leaves_deleted_ones_out),
	    cmocka_unit_test(random_deletions_are_where_streams_begin),
	    cmocka_unit_test(an_imported_stream_may_begin_with_any_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
