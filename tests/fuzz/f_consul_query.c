/*
 * consul_query: any query is taken or refused, and what is taken agrees with itself; any duration
 * that is taken is printed as one that means the same.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "consul/query.h"
#include "fuzz.h"

static void check_duration(struct span text)
{
	struct buf b = {0};
	uint64_t ns;
	uint64_t again;
	struct err e;

	if (consul_duration_ns(text, &ns, &e) < 0) {
		CHECK(e.code == EINVAL || e.code == ERANGE);
		return;
	}
	CHECK(ns <= INT64_MAX);
	consul_duration_put(&b, ns);
	CHECK(consul_duration_ns((struct span){b.data, b.len}, &again, &e) == 0);
	CHECK(again == ns);
	buf_done(&b);
}

/* Sorted is sorted: doing it again changes nothing. */
static void check_sorted(const struct consul_query *q)
{
	struct buf once = {0};
	struct buf twice = {0};
	struct consul_query again;
	struct err e;

	CHECK(consul_query_sorted(q, &once, &e) == 0);
	again = (struct consul_query){.text = {once.data, once.len}};
	CHECK(consul_query_sorted(&again, &twice, &e) == 0);
	CHECK(span_is((struct span){once.data, once.len}, (struct span){twice.data, twice.len}));
	buf_done(&once);
	buf_done(&twice);
}

static void check_query(const struct consul_query *q)
{
	static const char *const names[] = {"index",   "wait",      "stale", "consistent",
	                                    "recurse", "separator", "",      "a b"};

	CHECK(q->wait_ns > 0 && q->wait_ns <= CONSUL_WAIT_MAX_NS);
	CHECK(!q->stale || !q->consistent);
	CHECK(q->consistent == consul_query_has(q, "consistent"));
	CHECK(q->pretty == consul_query_has(q, "pretty"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct buf value = {0};
		struct err e;
		int found = consul_query_value(q, names[i], &value, &e);

		CHECK((found != 0) == consul_query_has(q, names[i]));
		CHECK(found >= 0 || e.code == EINVAL);
		CHECK(found > 0 || value.len == 0);
		CHECK(value.len <= q->text.len);
		buf_done(&value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	struct consul_query q;
	struct err e;

	check_duration(text);
	if (consul_query_get(&q, text, &e) == 0)
		check_query(&q);
	else
		CHECK(e.code == EINVAL);
	check_sorted(&(struct consul_query){.text = text});
	return 0;
}
