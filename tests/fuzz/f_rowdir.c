/*
 * rowdir: the state of a model of files, and the rows in it.  What is accepted is written again as
 * the same bytes; a row that is one can be merged with an output, again and again.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "evlog/model.h"
#include "evlog/row.h"
#include "evlog/rowdir_state.h"
#include "fuzz.h"

static void check_state(struct span text)
{
	struct rowdir_state s;
	struct buf again = {0};
	struct span rest;
	struct span path;
	struct span row;
	struct err e = {.code = 0};

	if (state_parse(&s, text, &e) < 0) {
		CHECK(e.code == EBADMSG || e.code == EVLOG_FOREIGN);
		return;
	}
	state_begin(&again, &s);
	rest = s.rows;
	while (state_next(&rest, &path, &row)) {
		CHECK(path.len > 2 && path.p[0] != '.' && path.p[0] != '/');
		state_put_row(&again, path, row);
	}
	CHECK(rest.len == 0);
	state_finish(&again);
	/* Numbers may have been written with other zeros. */
	CHECK(buf_ok(&again, &e) == 0 &&
	      state_parse(&s, (struct span){again.data, again.len}, &e) == 0);
	buf_done(&again);
}

static void check_row(struct span text)
{
	static const char line[] = "[{\"upsert\":\"t\",\"key\":{\"k\":1},"
				   "\"set\":{\"a\":[2],\"b\":null},\"add\":{\"n\":1,\"m\":0.5}}]";
	struct buf rows[2] = {{0}};
	struct outputs all;
	struct output o;
	struct err e = {.code = 0};
	uint64_t seq;

	if (row_check(text, &seq, &e) < 0)
		return;
	CHECK(outputs_begin(&all, OUTPUT_TAKES_ROWS, line, strlen(line), &e) == 0);
	CHECK(outputs_next(&all, &o));
	if (row_merge(&rows[0], text, &o, 7, &e) == 0) {
		struct span once = {rows[0].data, rows[0].len};

		CHECK(row_check(once, &seq, &e) == 0 && seq == 7);
		if (row_merge(&rows[1], once, &o, 8, &e) == 0)
			CHECK(row_check((struct span){rows[1].data, rows[1].len}, &seq, &e) == 0);
	}
	CHECK(e.code == 0 || e.code == EBADMSG);
	buf_done(&rows[0]);
	buf_done(&rows[1]);
}

/* Once as it is, and once with the CRC that fits: few inputs would come so far. */
static void check_states(struct span text)
{
	struct buf b = {0};

	check_state(text);
	buf_add(&b, text.p, text.len);
	if (b.len > 100 && memcmp(b.data, "evlog-rows 1 ", 13) == 0) {
		state_finish(&b);
		check_state((struct span){b.data, b.len});
	}
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};

	check_states(text);
	check_row(text);
	return 0;
}
