/* cursor: files, locks, and lists of cursors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "evlog/cursor.h"
#include "evlog/store_impl.h"
#include "evlog_check.h"
#include "tmp_dir.h"

static const struct cursor_id mail = {.name = "mail"};

struct fixture {
	char *root;
	char path[300];
	struct evlog *s;
	struct err e;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->root = tmp_dir_new();
	snprintf(f->path, sizeof(f->path), "%s/s", f->root);
	assert_int_equal(check_create(f->path, EVLOG_SEGMENT_MIN, NULL, &f->e), 0);
	f->s = check_open(f->path, NULL, &f->e);
	assert_non_null(f->s);
	assert_int_equal(check_append(f->s, "a b c d e", NULL, &f->e), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	evlog_close(f->s);
	tmp_dir_free(f->root);
	free(f);
	return 0;
}

static struct cursor *take(struct fixture *f, const struct cursor_id *id, bool *is_new)
{
	struct cursor *c = cursor_open(f->s, id, 0, is_new, &f->e);

	if (c == NULL)
		fail_msg("%s", f->e.msg);
	return c;
}

/* A cursor that is there, saved at each of n sequences in turn, and let go. */
static void make(struct fixture *f, const struct cursor_id *id, uint64_t n)
{
	bool is_new;
	struct cursor *c = take(f, id, &is_new);

	for (uint64_t seq = 1; seq <= n; seq++)
		assert_int_equal(check_save_cursor(c, seq, &f->e), 0);
	cursor_close(c);
}

static int file_of(struct fixture *f, const char *name, int flags)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/cursors/%s", f->path, name);
	fd = open(path, flags | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static bool has_file(struct fixture *f, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/cursors/%s", f->path, name);
	return access(path, F_OK) == 0;
}

/* ---- Files. */

static void a_cursor_that_was_never_saved_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	struct cursor_state st;
	bool is_new = false;
	struct cursor *c = take(f, &mail, &is_new);

	assert_true(is_new);
	assert_int_equal(cursor_state(c)->sequence, 0);
	assert_string_equal(cursor_state(c)->selector, "-");
	assert_string_equal(cursor_state(c)->program, "-");
	assert_int_equal(cursor_read(f->s, &mail, &st, &f->e), 0);
	cursor_close(c);
	assert_false(has_file(f, "mail"));
}

static void what_was_saved_is_found_again(void **state)
{
	struct fixture *f = *state;
	struct cursor_state st;
	bool is_new;

	assert_int_equal(cursor_read(f->s, &mail, &st, &f->e), 0);
	for (uint64_t seq = 1; seq <= 5; seq++) {
		struct cursor *c = take(f, &mail, &is_new);

		assert_int_equal(is_new, seq == 1);
		assert_int_equal(cursor_state(c)->sequence, seq - 1);
		cursor_state(c)->tries = (uint32_t)seq;
		assert_int_equal(check_save_cursor(c, seq, &f->e), 0);
		assert_int_equal(cursor_read(f->s, &mail, &st, &f->e), 1);
		assert_int_equal(st.sequence, seq);
		assert_int_equal(st.save, seq);
		assert_int_equal(st.tries, seq);
		assert_int_equal(st.time_ns, CHECK_CURSOR_NS(seq));
		assert_int_equal(st.event_ns, CHECK_TIME_NS);
		assert_string_equal(st.selector, "--all");
		cursor_close(c);
	}
	assert_false(has_file(f, "mail@new"));
}

static void files_and_directory_have_the_modes_of_the_store(void **state)
{
	struct fixture *f = *state;
	struct evlog_init init = {.shared = true, .uuid = {1}};
	struct cursor *c;
	struct stat st;
	char path[600];
	mode_t before = umask(0077);
	bool is_new;
	int dir;

	make(f, &mail, 1);
	dir = file_of(f, ".", O_RDONLY | O_DIRECTORY);
	assert_int_equal(fstat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(dir, "mail", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(dir);

	snprintf(path, sizeof(path), "%s/shared", f->root);
	assert_int_equal(evlog_create(path, &init, &f->e), 0);
	evlog_close(f->s);
	f->s = check_open(path, NULL, &f->e);
	c = take(f, &mail, &is_new);
	assert_int_equal(fstatat(f->s->dir, "cursors/mail", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(check_save_cursor(c, 0, &f->e), 0);
	cursor_close(c);
	assert_int_equal(fstatat(f->s->dir, "cursors/mail", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(fstatat(f->s->dir, "cursors", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 02770);
	umask(before);
}

static void a_damaged_slot_leaves_the_other_one(void **state)
{
	struct fixture *f = *state;
	struct cursor_state st;
	struct cursor *c;
	bool is_new;
	int fd;

	make(f, &mail, 4); /* save 3 is in slot 0, save 4 in slot 1 */
	fd = file_of(f, "mail", O_RDWR);
	assert_int_equal(pwrite(fd, "x", 1, CURSOR_SLOT + 10), 1);
	assert_int_equal(cursor_read(f->s, &mail, &st, &f->e), 1);
	assert_int_equal(st.sequence, 3);
	/* The next save mends the damaged one. */
	c = take(f, &mail, &is_new);
	assert_int_equal(check_save_cursor(c, 5, &f->e), 0);
	cursor_close(c);
	assert_int_equal(pwrite(fd, "x", 1, 10), 1);
	assert_int_equal(cursor_read(f->s, &mail, &st, &f->e), 1);
	assert_int_equal(st.sequence, 5);

	assert_int_equal(pwrite(fd, "x", 1, CURSOR_SLOT + 10), 1);
	assert_int_equal(cursor_read(f->s, &mail, &st, &f->e), -1);
	assert_int_equal(f->e.code, EVLOG_DAMAGED);
	assert_null(cursor_open(f->s, &mail, 0, &is_new, &f->e));
	assert_int_equal(f->e.code, EVLOG_DAMAGED);
	assert_int_equal(cursor_remove(f->s, &mail, &f->e), 0);
	close(fd);
}

static void a_cursor_of_another_store_is_none(void **state)
{
	struct fixture *f = *state;
	struct cursor_state st;

	make(f, &mail, 1);
	f->s->salt ^= 1;
	assert_int_equal(cursor_read(f->s, &mail, &st, &f->e), -1);
	assert_int_equal(f->e.code, EVLOG_DAMAGED);
	f->s->salt ^= 1;
}

static void a_store_that_cannot_be_written_is_said_so(void **state)
{
	struct fixture *f = *state;
	struct cursor_state st;
	bool is_new;

	make(f, &mail, 2);
	f->s->writable = false;
	assert_null(cursor_open(f->s, &mail, 0, &is_new, &f->e));
	assert_int_equal(f->e.code, EVLOG_READ_ONLY);
	assert_int_equal(cursor_read(f->s, &mail, &st, &f->e), 1);
	assert_int_equal(st.sequence, 2);
}

static void a_cursor_knows_the_event_it_stands_at(void **state)
{
	struct fixture *f = *state;
	struct cursor_state st;

	make(f, &mail, 3);
	assert_int_equal(cursor_read(f->s, &mail, &st, &f->e), 1);
	assert_true(cursor_fits_log(f->s, &st));
	st.event_ns++;
	assert_false(cursor_fits_log(f->s, &st));
	st.event_ns = 0;
	assert_true(cursor_fits_log(f->s, &st));
	st.sequence = 6;
	assert_false(cursor_fits_log(f->s, &st));
}

/* ---- Locks. */

static void one_at_a_time_holds_a_cursor(void **state)
{
	struct fixture *f = *state;
	const struct cursor_id member = {"mail", 2, 3};
	bool is_new;
	struct cursor *c = take(f, &mail, &is_new);
	struct cursor *m = take(f, &member, &is_new);

	for (int saves = 0; saves < 3; saves++) {
		assert_null(cursor_open(f->s, &mail, 0, &is_new, &f->e));
		assert_int_equal(f->e.code, ETIMEDOUT);
		assert_null(cursor_open(f->s, &mail, 20, &is_new, &f->e));
		assert_int_equal(f->e.code, ETIMEDOUT);
		assert_int_equal(cursor_remove(f->s, &mail, &f->e), -1);
		assert_int_equal(f->e.code, EBUSY);
		assert_int_equal(check_save_cursor(c, (uint64_t)saves, &f->e), 0);
	}
	cursor_close(c);
	c = take(f, &mail, &is_new);
	assert_false(is_new);
	cursor_close(c);
	cursor_close(m);
}

/* The child waits for the cursor, saves it one further, and ends. */
static pid_t wait_in_a_child(struct fixture *f, const struct cursor *ours)
{
	pid_t pid = fork();
	struct err e;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct evlog *s = check_open(f->path, NULL, &e);
		bool is_new;
		struct cursor *c;

		/* fork() has copied the descriptor, and the lock is held by both copies. */
		close(cursor_lock_fd(ours));
		c = s != NULL ? cursor_open(s, &mail, -1, &is_new, &e) : NULL;

		if (c == NULL || check_save_cursor(c, cursor_state(c)->sequence + 1, &e) < 0)
			_exit(1);
		_exit(0);
	}
	return pid;
}

static void those_who_wait_take_turns_whatever_file_they_wait_for(void **state)
{
	enum { WAITERS = 12 };
	struct fixture *f = *state;
	struct cursor_state st;
	pid_t pid[WAITERS];
	bool is_new;
	struct cursor *c;
	int status;

	/* Some open the empty file, some the one of the first save, some the one after a removal.
	 */
	for (int round = 0; round < 3; round++) {
		c = take(f, &mail, &is_new);
		for (int i = 0; i < WAITERS; i++) {
			if (i == WAITERS / 2 && round > 0)
				assert_int_equal(check_save_cursor(c, 10, &f->e), 0);
			pid[i] = wait_in_a_child(f, c);
		}
		if (round == 2) {
			assert_int_equal(unlinkat(f->s->dir, "cursors/mail", 0), 0);
			cursor_close(c);
			c = NULL;
		}
		cursor_close(c);
		for (int i = 0; i < WAITERS; i++) {
			assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
			assert_int_equal(status, 0);
		}
		assert_int_equal(cursor_read(f->s, &mail, &st, &f->e), 1);
		assert_int_equal(st.sequence, WAITERS + (round == 1 ? 10 : 0));
		assert_int_equal(cursor_remove(f->s, &mail, &f->e), 0);
	}
}

/* ---- All of them. */

struct seen {
	char text[400];
};

static int note(const struct cursor_id *id, const struct cursor_state *st, bool held, void *arg,
                struct err *e)
{
	struct seen *seen = arg;
	char text[CURSOR_TEXT_MAX];
	size_t n = strlen(seen->text);

	(void)e;
	cursor_id_text(text, id);
	snprintf(seen->text + n, sizeof(seen->text) - n, "%s:%d%s ", text,
	         st != NULL ? (int)st->sequence : -1, held ? "!" : "");
	return strcmp(text, "stop") == 0 ? 7 : 0;
}

static void all_cursors_are_listed_by_name_and_member(void **state)
{
	static const char *const names[] = {"mail@10-12", "b",         "mail@2-12", "mail",
	                                    "mail@2-3",   "mail-more", "A"};
	struct fixture *f = *state;
	struct seen seen = {""};
	char name[CURSOR_NAME_MAX + 1];
	struct cursor_id id;
	struct cursor *held;
	bool is_new;
	int fd;

	assert_int_equal(cursor_each(f->s, note, &seen, &f->e), 0);
	assert_string_equal(seen.text, "");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(cursor_parse_id(names[i], name, &id, &f->e), 0);
		make(f, &id, i % 4 + 1);
	}
	/* What is no cursor, or none yet. */
	close(file_of(f, "mail@model", O_RDWR | O_CREAT));
	close(file_of(f, "b@new", O_RDWR | O_CREAT));
	close(file_of(f, "empty", O_RDWR | O_CREAT));
	fd = file_of(f, "b", O_RDWR);
	assert_int_equal(ftruncate(fd, 100), 0);
	close(fd);
	held = take(f, &mail, &is_new);
	assert_int_equal(cursor_each(f->s, note, &seen, &f->e), 0);
	assert_string_equal(seen.text, "A:3 b:-1 mail:4! mail@2-3:1 mail@2-12:3 mail@10-12:1 "
	                               "mail-more:2 ");
	cursor_close(held);

	id = (struct cursor_id){.name = "stop"};
	make(f, &id, 1);
	id.name = "z";
	make(f, &id, 1);
	seen.text[0] = '\0';
	assert_int_equal(cursor_each(f->s, note, &seen, &f->e), 7);
	assert_null(strstr(seen.text, "z"));
}

static void what_is_removed_is_gone(void **state)
{
	struct fixture *f = *state;
	struct cursor_state st;

	assert_int_equal(cursor_remove(f->s, &mail, &f->e), -1);
	assert_int_equal(f->e.code, ENOENT);
	make(f, &mail, 2);
	assert_int_equal(cursor_remove(f->s, &mail, &f->e), 0);
	assert_int_equal(cursor_read(f->s, &mail, &st, &f->e), 0);
	assert_int_equal(cursor_remove(f->s, &mail, &f->e), -1);
	assert_int_equal(f->e.code, ENOENT);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_STORE(a_cursor_that_was_never_saved_leaves_nothing_behind),
	    WITH_STORE(what_was_saved_is_found_again),
	    WITH_STORE(files_and_directory_have_the_modes_of_the_store),
	    WITH_STORE(a_damaged_slot_leaves_the_other_one),
	    WITH_STORE(a_cursor_of_another_store_is_none),
	    WITH_STORE(a_store_that_cannot_be_written_is_said_so),
	    WITH_STORE(a_cursor_knows_the_event_it_stands_at),
	    WITH_STORE(one_at_a_time_holds_a_cursor),
	    WITH_STORE(those_who_wait_take_turns_whatever_file_they_wait_for),
	    WITH_STORE(all_cursors_are_listed_by_name_and_member),
	    WITH_STORE(what_is_removed_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
