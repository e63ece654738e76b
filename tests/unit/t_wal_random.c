/* wal: random histories of all that a log can do are recovered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"
#include "seeded.h"
#include "wal_log.h"

static void open_model(struct wal_model *m)
{
	struct wal_recovered r;

	m->w = wal_open(&wl.cfg, &r, NULL, &wl.e);
	log_must(m->w == NULL ? -1 : 0);
	log_must(wal_model_check(m, m->n, &r, &wl.e));
	wal_recovered_done(&r);
}

static void again(struct wal_model *m)
{
	wal_close(m->w);
	open_model(m);
}

static void random_snapshot(struct wal_model *m, uint64_t *rand, int dir)
{
	struct wal_stat st;
	struct raft_point at;

	wal_stat(m->w, &st);
	if (st.last.index <= st.snapshot.index)
		return;
	at.index = st.snapshot.index + 1 + seeded_below(rand, st.last.index - st.snapshot.index);
	at.term = wal_model_term(m, at.index);
	log_must(wal_model_snapshot(&io_os, dir, at, &wl.e));
	log_must(wal_model_compact(m, at, seeded_below(rand, at.index + 1), &wl.e));
}

static void random_op(struct wal_model *m, uint64_t *rand, int dir)
{
	uint64_t floor;
	struct wal_stat st;

	wal_stat(m->w, &st);
	floor = st.snapshot.index;
	switch (seeded_below(rand, 12)) {
	case 0:
		wal_model_hard(m, m->term + 1, seeded_below(rand, 3));
		break;
	case 1:
		if (m->last.index > floor)
			wal_model_truncate(m,
			                   floor + seeded_below(rand, m->last.index - floor + 1));
		break;
	case 2:
		random_snapshot(m, rand, dir);
		break;
	case 3:
		if (m->last.index + 20 < WAL_MODEL_ENTRIES && seeded_below(rand, 5) == 0) {
			struct raft_point at = {m->last.index + 1 + seeded_below(rand, 5), m->term};

			log_must(wal_model_snapshot(&io_os, dir, at, &wl.e));
			wal_model_reset(m, at);
		}
		break;
	case 4:
		(void)wal_prepare(m->w, &wl.e);
		break;
	case 5:
		log_must(wal_mark(m->w, &wl.e));
		break;
	default:
		if (m->last.index + 20 < WAL_MODEL_ENTRIES)
			wal_model_append(m, m->term, seeded_below(rand, 20));
	}
}

static void random_histories_are_recovered(void **state)
{
	struct wal_model *m = &wl.model;
	uint64_t rand = seeded();
	unsigned rounds = seeded_rounds(30);

	wl.cfg = wal_model_config(&io_os, place_dir(state));
	for (unsigned round = 0; round < rounds; round++) {
		char name[20];
		int dir;

		memset(m, 0, sizeof(*m));
		snprintf(name, sizeof(name), "%u", round);
		assert_int_equal(mkdirat(place_dir(state), name, 0700), 0);
		wl.cfg.dir = dir = file_open_dir(&io_os, place_dir(state), name, &wl.e);
		open_model(m);
		wal_model_hard(m, 1, 0);
		for (int i = 0; i < 120; i++) {
			random_op(m, &rand, dir);
			if (seeded_below(&rand, 3) > 0)
				continue;
			log_must(wal_model_sync(m, &wl.e));
			if (seeded_below(&rand, 8) == 0)
				again(m);
			else if (seeded_below(&rand, 8) == 0) {
				wal_abandon(m->w);
				open_model(m);
			}
		}
		log_must(wal_model_sync(m, &wl.e));
		again(m);
		wal_close(m->w);
		close(dir);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open_fast, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(random_histories_are_recovered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
