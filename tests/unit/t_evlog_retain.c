/* retain: what rules hide from those who read a stream by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evlog/append.h"
#include "evlog/read.h"
#include "evlog/retain.h"
#include "evlog/store_impl.h"
#include "evlog_place.h"
#include "seeded.h"
#include "tmp_dir.h"

/* One event, recorded at a time; without data a deletion. */
static void put_at(struct evlog_place *p, const char *stream, const char *type, const char *data,
                   int64_t time_ns)
{
	struct commit *c = commit_new();
	struct commit_result r;
	char id[24];
	struct event ev = {.stream = span_str(stream),
	                   .type = span_str(type),
	                   .attrs = {"-", 1},
	                   .data = span_str(data != NULL ? data : "")};

	snprintf(id, sizeof(id), "i%ju", (uintmax_t)evlog_written(p->s));
	ev.id = span_str(id);
	if (data == NULL)
		event_deletes(&ev, false);
	if (commit_add(c, p->s, &ev, &p->e) < 0 ||
	    evlog_commit(p->s, c, COMMIT_EACH, time_ns, &r, &p->e) < 0 ||
	    evlog_sync(p->s, r.sequence, &p->e) < 0)
		fail_msg("%s", p->e.msg);
	commit_free(c);
}

static void put(struct evlog_place *p, const char *stream)
{
	put_at(p, stream, "T", "1", 1);
}

static void rule(struct evlog_place *p, const char *data)
{
	put_at(p, RETAIN_STREAM, RETAIN_TYPE, data, 1);
}

static int count(const struct retain_rule *r, void *arg, struct err *e)
{
	(void)r;
	(void)e;
	++*(int *)arg;
	return 0;
}

static int rules_of(struct evlog_place *p)
{
	int n = 0;

	assert_int_equal(evlog_each_rule(p->s, count, &n, &p->e), 0);
	return n;
}

static void selectors_take_names_prefixes_and_all(void **state)
{
	static const struct {
		const char *selector, *stream;
		bool takes;
	} cases[] = {{"a", "a", true},           {"a", "ab", false},     {"a*", "ab", true},
	             {"a*", "a", true},          {"a*", "b", false},     {"*", "x", true},
	             {"*", "$x", false},         {"$x", "$x", true},     {"$x*", "$xy", false},
	             {"--all", "a", true},       {"--all", "$a", false}, {"", "a", false},
	             {"order-*", "order", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(
		    evlog_selects(span_str(cases[i].selector), span_str(cases[i].stream)),
		    cases[i].takes);
}

static void a_rule_hides_from_the_moment_it_is_there(void **state)
{
	struct evlog_place p = evlog_place_new(0);
	struct frame f;
	uint32_t first;

	(void)state;
	for (int i = 0; i < 6; i++)
		put(&p, "a");
	assert_string_equal(evlog_place_versions(&p, "a", 0, UINT32_MAX), "0 1 2 3 4 5");
	rule(&p, "{\"selector\":\"a\",\"max_count\":2}");
	assert_string_equal(evlog_place_versions(&p, "a", 0, UINT32_MAX), "4 5");
	assert_int_equal(evlog_at(p.s, span_str("a"), 3, 99, &f, &p.e), 0);
	assert_int_equal(evlog_at(p.s, span_str("a"), 4, 99, &f, &p.e), 1);
	assert_int_equal(evlog_first(p.s, span_str("a"), 99, &first, &p.e), 1);
	assert_int_equal(first, 4);
	put(&p, "a");
	assert_string_equal(evlog_place_versions(&p, "a", 0, UINT32_MAX), "5 6");
	/* Who reads the log still has them. */
	assert_int_equal(evlog_get(p.s, 1, &f, &p.e), 1);
	rule(&p, "{\"selector\":\"a\"}");
	assert_string_equal(evlog_place_versions(&p, "a", 0, UINT32_MAX), "0 1 2 3 4 5 6");
	assert_int_equal(rules_of(&p), 0);
	evlog_place_end(&p);
}

static void the_newest_event_always_stays(void **state)
{
	struct evlog_place p = evlog_place_new(0);

	(void)state;
	put_at(&p, "a", "T", "1", 1000);
	put_at(&p, "a", "T", "1", 2000);
	rule(&p, "{\"selector\":\"a\",\"before\":\"100\"}");
	assert_string_equal(evlog_place_versions(&p, "a", 0, UINT32_MAX), "1");
	rule(&p, "{\"selector\":\"a\",\"max_age\":\"1us\"}");
	evlog_set_time(p.s, 1000000000);
	assert_string_equal(evlog_place_versions(&p, "a", 0, UINT32_MAX), "1");
	evlog_place_end(&p);
}

static void ages_count_from_the_time_that_was_set(void **state)
{
	struct evlog_place p = evlog_place_new(0);

	(void)state;
	for (int i = 1; i <= 5; i++)
		put_at(&p, "a", "T", "1", (int64_t)i * 1000);
	put_at(&p, RETAIN_STREAM, RETAIN_TYPE, "{\"selector\":\"a*\",\"max_age\":\"2us\"}", 5000);
	assert_string_equal(evlog_place_versions(&p, "a", 0, UINT32_MAX), "0 1 2 3 4");
	evlog_set_time(p.s, 5000);
	assert_string_equal(evlog_place_versions(&p, "a", 0, UINT32_MAX), "2 3 4");
	evlog_set_time(p.s, 5001);
	assert_string_equal(evlog_place_versions(&p, "a", 0, UINT32_MAX), "3 4");
	evlog_set_time(p.s, 50000);
	assert_string_equal(evlog_place_versions(&p, "a", 0, UINT32_MAX), "4");
	evlog_place_end(&p);
}

static void of_several_rules_each_applies_and_the_last_of_a_selector_stands(void **state)
{
	struct evlog_place p = evlog_place_new(0);

	(void)state;
	for (int i = 0; i < 10; i++)
		put(&p, "a-1");
	rule(&p, "{\"selector\":\"a*\",\"max_count\":2}");
	rule(&p, "{\"selector\":\"a-*\",\"max_count\":7}");
	assert_string_equal(evlog_place_versions(&p, "a-1", 0, UINT32_MAX), "8 9");
	rule(&p, "{\"selector\":\"a*\",\"max_count\":8}");
	assert_string_equal(evlog_place_versions(&p, "a-1", 0, UINT32_MAX), "3 4 5 6 7 8 9");
	rule(&p, "{\"selector\":\"a-1\",\"before\":\"5\"}");
	assert_string_equal(evlog_place_versions(&p, "a-1", 0, UINT32_MAX), "5 6 7 8 9");
	assert_int_equal(rules_of(&p), 3);
	/* Rules are forgotten with their stream. */
	if (check_append(p.s, "~" RETAIN_STREAM, NULL, &p.e) < 0)
		fail_msg("%s", p.e.msg);
	assert_int_equal(rules_of(&p), 0);
	assert_string_equal(evlog_place_versions(&p, "a-1", 0, UINT32_MAX), "0 1 2 3 4 5 6 7 8 9");
	evlog_place_end(&p);
}

static void what_is_no_rule_hides_nothing(void **state)
{
	static const char *const bad[] = {"1",
	                                  "{}",
	                                  "{\"selector\":7}",
	                                  "{\"selector\":\"\"}",
	                                  "{\"selector\":\"a\",\"max_count\":-1}",
	                                  "{\"selector\":\"a\",\"max_count\":4294967296}",
	                                  "{\"selector\":\"a\",\"before\":\"x\"}",
	                                  "{\"selector\":\"a\",\"max_age\":5}",
	                                  "{\"selector\":\"a\",\"max_age\":\"\"}",
	                                  "{\"selector\":\"a\",\"max_age\":\"5 weeks\"}",
	                                  "{\"selector\":\"a\",\"max_count\":0}"};
	struct evlog_place p = evlog_place_new(0);

	(void)state;
	for (int i = 0; i < 3; i++)
		put(&p, "a");
	evlog_set_time(p.s, INT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		rule(&p, bad[i]);
		assert_int_equal(rules_of(&p), 0);
		assert_string_equal(evlog_place_versions(&p, "a", 0, UINT32_MAX), "0 1 2");
	}
	evlog_place_end(&p);
}

static void a_second_handle_sees_a_new_rule(void **state)
{
	struct evlog_place p = evlog_place_new(0);
	struct evlog_place q = p;

	(void)state;
	q.s = check_open(p.dir, NULL, &q.e);
	assert_non_null(q.s);
	for (int i = 0; i < 4; i++)
		put(&p, "a");
	assert_string_equal(evlog_place_versions(&q, "a", 0, UINT32_MAX), "0 1 2 3");
	rule(&p, "{\"selector\":\"a\",\"max_count\":1}");
	assert_string_equal(evlog_place_versions(&q, "a", 0, UINT32_MAX), "3");
	evlog_close(q.s);
	evlog_place_end(&p);
}

/* Rules, deletions and appends at random, against what a model says is to be read. */
static void random_rules_hide_what_a_model_hides(void **state)
{
	uint64_t rand = seeded();
	struct evlog_place p = evlog_place_new(EVLOG_SEGMENT_MIN);
	uint64_t times[600];
	uint32_t next = 0, first = 0, max_count = 0, before = 0;
	uint64_t age = 0, now = 1000;

	(void)state;
	while (next < 500) {
		uint64_t what = seeded_below(&rand, 40);
		char text[128];

		now += seeded_below(&rand, 50);
		evlog_set_time(p.s, (int64_t)now);
		if (what == 0 && next > first) {
			put_at(&p, "a", "T", NULL, (int64_t)now);
			times[next] = now;
			first = ++next;
		} else if (what < 3) {
			max_count = (uint32_t)seeded_below(&rand, 60);
			before = (uint32_t)seeded_below(&rand, 2) * (next / 2);
			age = seeded_below(&rand, 3) * 700;
			snprintf(text, sizeof(text),
			         "{\"selector\":\"a\",\"max_count\":%u,\"before\":\"%u\"",
			         max_count, before);
			if (age > 0)
				snprintf(text + strlen(text), sizeof(text) - strlen(text),
				         ",\"max_age\":\"%juns\"", (uintmax_t)age);
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "}");
			put_at(&p, RETAIN_STREAM, RETAIN_TYPE, text, (int64_t)now);
		} else {
			put_at(&p, "a", "T", "\"some data that fills segments\"", (int64_t)now);
			times[next++] = now;
		}
		if (next > first) {
			uint32_t from = first, got;
			struct seqs seqs = {0};

			while (from + 1 < next &&
			       (from < before || (max_count > 0 && next - from > max_count) ||
			        (age > 0 && now > age && times[from] < now - age)))
				from++;
			assert_int_equal(evlog_gather(p.s, span_str("a"), 0, UINT32_MAX,
			                              evlog_durable(p.s), &seqs, &p.e),
			                 0);
			assert_int_equal(seqs.len, next - from);
			assert_int_equal(
			    evlog_first(p.s, span_str("a"), evlog_durable(p.s), &got, &p.e), 1);
			assert_int_equal(got, from);
			seqs_done(&seqs);
		}
	}
	evlog_close(p.s);
	tmp_dir_free(p.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(selectors_take_names_prefixes_and_all),
	    cmocka_unit_test(a_rule_hides_from_the_moment_it_is_there),
	    cmocka_unit_test(the_newest_event_always_stays),
	    cmocka_unit_test(ages_count_from_the_time_that_was_set),
	    cmocka_unit_test(of_several_rules_each_applies_and_the_last_of_a_selector_stands),
	    cmocka_unit_test(what_is_no_rule_hides_nothing),
	    cmocka_unit_test(a_second_handle_sees_a_new_rule),
	    cmocka_unit_test(random_rules_hide_what_a_model_hides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
