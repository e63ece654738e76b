/*
 * The stories of tests/raft: each is a test (raft_story.h says what is in them).
 *
 *	STORY_REWRITE=1 build/tests/unit/t_raft_story        write down what happens now
 *	build/tests/unit/t_raft_story FILE...                these only, printed in full
 *	RAFT_CHART=1 build/tests/unit/t_raft_story FILE...   as message charts
 */
#include "raft_story.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/file.h"

#define DIRECTORY   "tests/raft"
#define STORIES_MAX 128
#define STORY_MAX   ((size_t)1 << 20)
#define TRAPS       23

struct file {
	char path[300];
	char name[256]; /* without .t */
};

static struct file files[STORIES_MAX];
static size_t file_count;

static int is_story(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 2 && strcmp(d->d_name + n - 2, ".t") == 0;
}

static void find_files(void)
{
	struct dirent **names;
	int n = scandir(DIRECTORY, &names, is_story, alphasort);

	for (int i = 0; i < n; i++) {
		struct file *f = &files[file_count];

		assert(file_count < STORIES_MAX);
		snprintf(f->path, sizeof(f->path), "%s/%s", DIRECTORY, names[i]->d_name);
		snprintf(f->name, sizeof(f->name), "%.*s", (int)strlen(names[i]->d_name) - 2,
		         names[i]->d_name);
		file_count++;
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static void load(struct buf *b, const char *path)
{
	struct err e;

	if (file_read(AT_FDCWD, path, STORY_MAX, b, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		exit(2);
	}
}

/* ---- Differences */

/* Does the line at p[*at] of a begin both texts' rest alike?  Then both move on behind it. */
static bool same_line(const struct buf *a, const struct buf *b, size_t *at)
{
	const char *lf = memchr(a->data + *at, '\n', a->len - *at);
	size_t n = lf != NULL ? (size_t)(lf + 1 - a->data) - *at : a->len - *at;

	if (n == 0 || b->len - *at < n || memcmp(a->data + *at, b->data + *at, n) != 0)
		return false;
	*at += n;
	return true;
}

static void print_lines(char mark, const struct buf *b, size_t from, size_t to)
{
	while (from < to) {
		const char *lf = memchr(b->data + from, '\n', to - from);
		size_t n = lf != NULL ? (size_t)(lf - b->data) - from : to - from;

		fprintf(stderr, "%c%.*s\n", mark, (int)n, b->data + from);
		from += n + 1;
	}
}

/* What lies between the lines that both begin with, and those that both end with. */
static void print_difference(const struct buf *want, const struct buf *got)
{
	size_t begin = 0;
	size_t a = want->len, b = got->len;
	size_t line = 1;

	while (begin < want->len && begin < got->len && same_line(want, got, &begin))
		line++;
	while (a > begin && b > begin && want->data[a - 1] == got->data[b - 1])
		a--, b--;
	while (a < want->len && a > 0 && want->data[a - 1] != '\n')
		a++, b++;
	fprintf(stderr, "@@ from line %zu on\n", line);
	print_lines('-', want, begin, a);
	print_lines('+', got, begin, b);
}

/* ---- Running */

static void rewrite(const char *path, const struct buf *text)
{
	FILE *f = fopen(path, "we");

	if (f == NULL || fwrite(text->data, 1, text->len, f) != text->len || fclose(f) != 0) {
		perror(path);
		exit(2);
	}
}

static void print_story(const struct buf *text)
{
	struct buf chart = {0};

	if (getenv("RAFT_CHART") != NULL)
		story_chart(&chart, (struct span){text->data, text->len});
	else
		buf_add(&chart, text->data, text->len);
	fwrite(chart.data, 1, chart.len, stdout);
	buf_done(&chart);
}

static bool tell_story(const char *path, bool print)
{
	struct buf want = {0};
	struct story s;
	bool good;
	bool same;

	load(&want, path);
	story_run(&s, (struct span){want.data, want.len});
	good = s.wrong.len == 0;
	if (!good)
		fprintf(stderr, "%s: this does not hold:\n%.*s", path, (int)s.wrong.len,
		        s.wrong.data);
	same = want.len == s.text.len && memcmp(want.data, s.text.data, want.len) == 0;
	if (print) {
		print_story(&s.text);
	} else if (!same && getenv("STORY_REWRITE") != NULL) {
		rewrite(path, &s.text);
	} else if (!same) {
		fprintf(stderr, "%s: it went otherwise (STORY_REWRITE=1 writes it down):\n", path);
		print_difference(&want, &s.text);
		good = false;
	}
	story_done(&s);
	buf_done(&want);
	return good;
}

static void a_story(void **state)
{
	const struct file *f = *state;

	if (!tell_story(f->path, false))
		fail_msg("%s", f->path);
}

/* Two to eight lines that say what it is about stand first. */
static void each_story_says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < file_count; i++) {
		struct buf b = {0};
		size_t lines = 0;
		size_t at = 0;

		load(&b, files[i].path);
		while (at < b.len && b.data[at] == '#') {
			const char *lf = memchr(b.data + at, '\n', b.len - at);

			at = lf != NULL ? (size_t)(lf + 1 - b.data) : b.len;
			lines++;
		}
		if (lines < 2 || lines > 8)
			fail_msg("%s: %zu lines of comment in front", files[i].path, lines);
		buf_done(&b);
	}
}

/* ---- Every trap has one */

/* What is not the core's: a test by its name, in the file where it is. */
static const struct {
	unsigned trap;
	const char *file;
	const char *test;
} elsewhere[] = {
    {13, "tests/unit/t_wal_torn.c", "a_torn_tail_is_cut_and_counted"},
    {13, "tests/unit/t_wal_torn.c", "rot_below_what_a_later_record_knows_durable_is_refused"},
    {13, "tests/unit/t_snapfile_damage.c",
     "a_full_disk_ends_the_writer_and_a_sync_that_failed_the_part"},
    {14, "tests/unit/t_wal_recover.c", "entries_below_a_snapshot_of_another_term_are_dropped"},
    {15, "tests/unit/t_kv_session.c", "nothing_that_a_late_leader_proposes_ends_a_renewed_session"},
    {15, "tests/unit/t_kv_session.c", "a_session_expires_exactly_when_its_time_has_passed"},
    {18, "tests/unit/t_kv_model.c", "nodes_that_apply_the_same_are_the_same"},
    {19, "tests/unit/t_kv_once.c", "the_same_number_gives_the_same_result_and_changes_nothing"},
    {19, "tests/unit/t_kv_once.c", "a_restored_node_knows_what_was_done"},
    {22, "tests/unit/t_wal_recover.c", "the_log_of_another_cluster_or_node_is_refused"},
    {23, "tests/unit/t_json.c", "numbers_and_text_are_kept_as_typed"},
    {23, "tests/unit/t_lin_history.c", "numbers_beyond_2_53_keep_their_digits"},
};

static bool names(const char *path, const char *test)
{
	struct buf b = {0};
	bool found;

	load(&b, path);
	found = memmem(b.data, b.len, test, strlen(test)) != NULL;
	buf_done(&b);
	return found;
}

static void every_trap_has_a_story_or_a_test(void **state)
{
	bool has[TRAPS + 1] = {false};

	(void)state;
	for (size_t i = 0; i < file_count; i++) {
		unsigned long trap = strtoul(files[i].name, NULL, 10);

		if (trap >= 1 && trap <= TRAPS)
			has[trap] = true;
	}
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		if (!names(elsewhere[i].file, elsewhere[i].test))
			fail_msg("%s has no %s", elsewhere[i].file, elsewhere[i].test);
		has[elsewhere[i].trap] = true;
	}
	for (unsigned trap = 1; trap <= TRAPS; trap++)
		if (!has[trap])
			fail_msg("trap %u has no story", trap);
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[STORIES_MAX + 2] = {
	    cmocka_unit_test(each_story_says_why),
	    cmocka_unit_test(every_trap_has_a_story_or_a_test),
	};
	bool good = true;

	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			good = tell_story(argv[i], true) && good;
		return !good;
	}
	find_files();
	for (size_t i = 0; i < file_count; i++)
		tests[2 + i] = (struct CMUnitTest){
		    .name = files[i].name, .test_func = a_story, .initial_state = &files[i]};
	return _cmocka_run_group_tests("stories", tests, 2 + file_count, NULL, NULL);
}
