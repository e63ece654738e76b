#include "evlog/rowdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "evlog/model.h"
#include "evlog/rowdir_state.h"
#include "tmp_dir.h"

#define STORE "0123456789abcdef0123456789abcdef"

struct fixture {
	char *root;
	char path[300];
	struct rowdir *d;
	struct mark mark;
};

static struct rowdir_config config(void)
{
	return (struct rowdir_config){.mode = 0644, .owner = {"orders", STORE}};
}

static void open_again(struct fixture *f)
{
	struct rowdir_config cfg = config();
	struct err e;

	rowdir_close(f->d);
	f->d = rowdir_open(f->path, &cfg, &f->mark, &e);
	if (f->d == NULL)
		fail_msg("%s", e.msg);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->root = tmp_dir_new();
	snprintf(f->path, sizeof(f->path), "%s/m", f->root);
	open_again(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	rowdir_close(f->d);
	tmp_dir_free(f->root);
	free(f);
	return 0;
}

static struct mark mark_at(uint64_t seq)
{
	return (struct mark){
	    .sequence = seq, .event_ns = 5, .program = "abc", .selector = "order-*"};
}

/* Apply lines, the last one of which is NULL, as events from `seq` on; result of rowdir_apply(). */
static int apply(struct fixture *f, uint64_t seq, bool all, const char *const *lines, char *why[8])
{
	struct rowdir_event events[8] = {{.seq = 0}};
	struct mark to;
	struct err e;
	size_t n = 0;
	int r;

	for (; lines[n] != NULL; n++)
		events[n] = (struct rowdir_event){seq + n, {lines[n], strlen(lines[n])}, NULL};
	to = mark_at(seq + n - 1);
	r = rowdir_apply(f->d, events, n, all, &to, &e);
	if (r < 0)
		fail_msg("%s", e.msg);
	for (size_t i = 0; i < n; i++)
		if (why != NULL)
			why[i] = events[i].why;
		else
			free(events[i].why);
	return r;
}

#define LINES(...)                        \
	(const char *const[])             \
	{                                 \
		__VA_ARGS__, (char *)NULL \
	}

static void expect_file(const struct fixture *f, const char *name, const char *want)
{
	char path[400];
	struct buf b = {0};
	struct err e;

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	if (want == NULL) {
		assert_int_equal(access(path, F_OK), -1);
		return;
	}
	if (file_read(AT_FDCWD, path, 100000, &b, &e) < 0)
		fail_msg("%s", e.msg);
	buf_add_char(&b, '\0');
	assert_string_equal(b.data, want);
	buf_done(&b);
}

static void write_file(const struct fixture *f, const char *name, const char *text)
{
	char path[400];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

#define UP(key, rest) "[{\"upsert\":\"orders\",\"key\":{\"id\":\"" key "\"}" rest "}]"
#define DEL(key)      "[{\"delete\":\"orders\",\"key\":{\"id\":\"" key "\"}}]"
#define SEQ(n)        ",\"_sequence\":\"0000000000000000000" #n "\"}\n"

static void rows_become_files_and_the_mark_is_kept(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->mark.sequence, 0);
	assert_string_equal(f->mark.program, "");
	assert_int_equal(apply(f, 1, false,
	                       LINES(UP("a", ",\"set\":{\"x\":1}"), UP("b", ""),
	                             UP("a", ",\"add\":{\"n\":2}"), DEL("b"), "[]"),
	                       NULL),
	                 0);
	expect_file(f, "orders/a.json", "{\"id\":\"a\",\"x\":1,\"n\":2" SEQ(3));
	expect_file(f, "orders/b.json", NULL);
	open_again(f);
	assert_int_equal(f->mark.sequence, 5);
	assert_int_equal(f->mark.event_ns, 5);
	assert_string_equal(f->mark.program, "abc");
	assert_string_equal(f->mark.selector, "order-*");
}

static void a_removed_row_can_come_back(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, false, LINES(UP("a", ",\"add\":{\"n\":5}")), NULL);
	apply(f, 2, false, LINES(DEL("a"), UP("a", ",\"add\":{\"n\":1}")), NULL);
	expect_file(f, "orders/a.json", "{\"id\":\"a\",\"n\":1" SEQ(3));
	apply(f, 4, false, LINES(DEL("a"), DEL("never")), NULL);
	expect_file(f, "orders/a.json", NULL);
}

static void files_are_for_whom_the_mode_says(void **state)
{
	struct fixture *f = *state;
	char path[400];
	struct stat st;

	apply(f, 1, false, LINES(UP("a", "")), NULL);
	snprintf(path, sizeof(path), "%s/orders/a.json", f->path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
}

static void events_that_a_row_has_seen_do_nothing_to_it(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, false, LINES(UP("a", ",\"add\":{\"n\":1}"), UP("a", ",\"add\":{\"n\":1}")),
	      NULL);
	/* As when the state was restored from an older copy. */
	apply(f, 1, false,
	      LINES(UP("a", ",\"add\":{\"n\":1}"), DEL("a"), UP("a", ",\"add\":{\"n\":1}")), NULL);
	expect_file(f, "orders/a.json", "{\"id\":\"a\",\"n\":3" SEQ(3));
}

static void poison_undoes_all_of_its_batch(void **state)
{
	struct fixture *f = *state;
	char *why[8];

	apply(f, 1, false, LINES(UP("a", ",\"set\":{\"t\":\"x\"}")), NULL);
	assert_int_equal(
	    apply(f, 2, false,
	          LINES(UP("a", ",\"add\":{\"n\":1}"),
	                "[{\"upsert\":\"orders\",\"key\":{\"id\":\"a\"},\"add\":{\"n\":9}},"
	                "{\"upsert\":\"orders\",\"key\":{\"id\":\"a\"},\"add\":{\"t\":9}}]",
	                "[3]"),
	          why),
	    1);
	assert_null(why[0]);
	assert_string_equal(why[1], "output 2: \"add\": column 't' of the row is no number");
	assert_null(why[2]);
	free(why[1]);
	expect_file(f, "orders/a.json", "{\"id\":\"a\",\"t\":\"x\"" SEQ(1));
	open_again(f);
	assert_int_equal(f->mark.sequence, 1);
}

static void all_poison_of_a_batch_is_found_when_asked_for(void **state)
{
	struct fixture *f = *state;
	char *why[8];

	assert_int_equal(apply(f, 1, true,
	                       LINES("[{\"sql\":\"x\"}]", UP("a", ",\"set\":{\"n\":\"x\"}"),
	                             UP("a", ",\"add\":{\"n\":1}"), UP("b", ""), "[4]"),
	                       why),
	                 1);
	assert_non_null(why[0]);
	assert_null(why[1]);
	assert_non_null(why[2]);
	assert_null(why[3]);
	assert_non_null(why[4]);
	for (int i = 0; i < 5; i++)
		free(why[i]);
	expect_file(f, "orders/b.json", NULL);
}

/* Rows of earlier batches are in memory, or, over a limit, in their files again. */
static void a_model_is_built_without_its_files_until_it_is_finished(void **state)
{
	struct fixture *f = *state;
	struct rowdir_config cfg = config();
	struct mark mark = mark_at(7);
	struct err e;
	char *why[8];

	rowdir_close(f->d);
	cfg.building = true;
	f->d = rowdir_open(f->path, &cfg, &f->mark, &e);
	assert_non_null(f->d);
	apply(f, 1, false, LINES(UP("a", ",\"add\":{\"n\":1}"), UP("b", "")), NULL);
	assert_int_equal(apply(f, 3, false, LINES(UP("a", ",\"add\":{\"n\":1}"), "[3]"), why), 1);
	free(why[1]);
	apply(f, 3, false, LINES(UP("a", ",\"add\":{\"n\":1}"), DEL("b"), UP("c", "")), NULL);
	apply(f, 6, false, LINES(DEL("c"), DEL("a"), UP("a", ",\"add\":{\"n\":5}")), NULL);
	expect_file(f, "orders/a.json", NULL);
	assert_int_equal(rowdir_finish(f->d, &mark, &e), 0);
	expect_file(f, "orders/a.json", "{\"id\":\"a\",\"n\":5" SEQ(8));
	expect_file(f, "orders/b.json", NULL);
	expect_file(f, "orders/c.json", NULL);
	apply(f, 9, false, LINES(UP("a", ",\"add\":{\"n\":1}")), NULL);
	assert_int_equal(rowdir_finish(f->d, &mark, &e), 0);
	open_again(f);
	assert_int_equal(f->mark.sequence, 7);
	expect_file(f, "orders/a.json", "{\"id\":\"a\",\"n\":6" SEQ(9));
}

static void expect_refusal(const struct fixture *f, const struct rowdir_config *cfg, int code,
                           const char *part)
{
	struct mark mark;
	struct err e;

	assert_null(rowdir_open(f->path, cfg, &mark, &e));
	if (e.code != code || strstr(e.msg, part) == NULL)
		fail_msg("%d: %s", e.code, e.msg);
}

static void a_model_has_one_owner(void **state)
{
	struct fixture *f = *state;
	struct rowdir_config cfg = config();

	apply(f, 1, false, LINES(UP("a", "")), NULL);
	cfg.owner.name = "other";
	expect_refusal(f, &cfg, EVLOG_FOREIGN, "holds the projection 'orders'");
	cfg = config();
	cfg.owner.store = "00000000000000000000000000000000";
	expect_refusal(f, &cfg, EVLOG_FOREIGN, "of another store");
}

static void a_directory_with_other_files_is_no_place_for_a_model(void **state)
{
	struct fixture *f = *state;
	struct rowdir_config cfg = config();

	write_file(f, "precious", "x");
	expect_refusal(f, &cfg, EVLOG_FOREIGN, "holds 'precious'");
	expect_file(f, "precious", "x");
}

static void damage_is_seen(void **state)
{
	struct fixture *f = *state;
	struct rowdir_config cfg = config();
	struct rowdir_event ev = {2, {UP("a", ""), strlen(UP("a", ""))}, NULL};
	struct mark to = mark_at(2);
	struct err e;

	apply(f, 1, false, LINES(UP("a", "")), NULL);
	write_file(f, "orders/a.json", "{\"id\":\"a\"}\n");
	assert_int_equal(rowdir_apply(f->d, &ev, 1, true, &to, &e), -1);
	assert_int_equal(e.code, EIO);
	assert_non_null(strstr(e.msg, "orders/a.json' is no row: without _sequence"));
	write_file(f, ".evlog/state", "evlog-rows 1 applied crc=00000000\nname orders\n");
	expect_refusal(f, &cfg, EIO, "damaged");
	write_file(f, ".evlog/state", "evlog-rows 2 what comes\n");
	expect_refusal(f, &cfg, EVLOG_FOREIGN, "another version");
}

/* ---- Looking at a model. */

static void a_row_is_read_by_its_path(void **state)
{
	struct fixture *f = *state;
	struct rowdir_owner owner = config().owner;
	struct buf b = {0};
	struct err e;
	struct mark mark;
	uint64_t in_files;

	assert_int_equal(rowdir_read_mark(f->path, &owner, &mark, &in_files, &e), 0);
	apply(f, 1, false, LINES(UP("a", "")), NULL);
	assert_int_equal(rowdir_read_mark(f->path, &owner, &mark, &in_files, &e), 1);
	assert_int_equal(in_files, 1);
	assert_int_equal(mark.sequence, 1);
	assert_int_equal(rowdir_read_row(f->path, (struct span){"orders/a.json", 13}, &b, &e), 1);
	assert_int_equal(b.len, strlen("{\"id\":\"a\"" SEQ(1)) - 1);
	assert_int_equal(rowdir_read_row(f->path, (struct span){"orders/b.json", 13}, &b, &e), 0);
	buf_clear(&b);
	assert_int_equal(rowdir_tables(f->path, &b, &e), 0);
	assert_int_equal(b.len, 7);
	assert_string_equal(b.data, "orders");
	buf_done(&b);
}

/* A writer that was killed between its state and its files. */
static void rows_of_a_pending_batch_are_read_from_the_state_and_completed(void **state)
{
	struct fixture *f = *state;
	struct rowdir_owner owner = config().owner;
	struct rowdir_state s = {.name = {"orders", 6},
	                         .store = {STORE, 32},
	                         .before = 1,
	                         .mark = mark_at(9),
	                         .row_count = 2};
	struct buf text = {0};
	struct buf row = {0};
	struct err e;
	struct mark mark;
	uint64_t in_files;

	apply(f, 1, false, LINES(UP("a", ""), UP("b", "")), NULL);
	state_begin(&text, &s);
	state_put_row(&text, (struct span){"orders/a.json", 13}, (struct span){"{\"id\":7}", 8});
	state_put_row(&text, (struct span){"orders/b.json", 13}, (struct span){NULL, 0});
	state_finish(&text);
	buf_add_char(&text, '\0');
	write_file(f, ".evlog/state", text.data);
	assert_int_equal(rowdir_read_mark(f->path, &owner, &mark, &in_files, &e), 1);
	assert_int_equal(in_files, 1);
	assert_int_equal(mark.sequence, 9);
	assert_int_equal(rowdir_read_row(f->path, (struct span){"orders/a.json", 13}, &row, &e), 1);
	assert_int_equal(row.len, 8);
	assert_int_equal(rowdir_read_row(f->path, (struct span){"orders/b.json", 13}, &row, &e), 0);
	open_again(f);
	expect_file(f, "orders/a.json", "{\"id\":7}\n");
	expect_file(f, "orders/b.json", NULL);
	assert_int_equal(rowdir_read_mark(f->path, &owner, &mark, &in_files, &e), 1);
	assert_int_equal(in_files, 9);
	buf_done(&text);
	buf_done(&row);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(rows_become_files_and_the_mark_is_kept),
	    T(a_removed_row_can_come_back),
	    T(files_are_for_whom_the_mode_says),
	    T(events_that_a_row_has_seen_do_nothing_to_it),
	    T(poison_undoes_all_of_its_batch),
	    T(all_poison_of_a_batch_is_found_when_asked_for),
	    T(a_model_is_built_without_its_files_until_it_is_finished),
	    T(a_model_has_one_owner),
	    T(a_directory_with_other_files_is_no_place_for_a_model),
	    T(damage_is_seen),
	    T(a_row_is_read_by_its_path),
	    T(rows_of_a_pending_batch_are_read_from_the_state_and_completed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
