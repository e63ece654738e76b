/* snapshot: used only while all it says agrees with the log, whatever happened to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evlog/admin.h"
#include "evlog/append.h"
#include "evlog/read.h"
#include "evlog/snapshot.h"
#include "evlog_check.h"
#include "fault_io.h"
#include "record_io.h"
#include "seeded.h"
#include "shell.h"
#include "tmp_dir.h"

struct place {
	char *dir, store[300];
	struct evlog *s;
	struct buf state; /* of the last load() */
	uint32_t version;
	struct err e;
};

static const struct snapshot_key key = {.stream = {"a", 1}, .program = "the program...."};

static void must(struct place *p, int r)
{
	if (r < 0)
		fail_msg("%s", p->e.msg);
}

static void open_store(struct place *p, const struct io *io)
{
	p->s = check_open(p->store, io, &p->e);
	if (p->s == NULL)
		fail_msg("%s", p->e.msg);
}

/* A store where stream a has versions 0 to 4, and b some between them. */
static struct place make_place(void)
{
	struct place p = {.dir = tmp_dir_new()};

	snprintf(p.store, sizeof(p.store), "%s/s", p.dir);
	must(&p, check_create(p.store, 0, NULL, &p.e));
	open_store(&p, NULL);
	for (int i = 0; i < 5; i++)
		must(&p, check_append(p.s, "a b", NULL, &p.e));
	return p;
}

static void close_place(struct place *p)
{
	evlog_close(p->s);
	buf_done(&p->state);
	tmp_dir_free(p->dir);
}

static int save(struct place *p, uint32_t version, const char *state)
{
	struct frame f;

	if (evlog_at(p->s, key.stream, version, evlog_durable(p->s), &f, &p->e) <= 0)
		fail_msg("no version %u", version);
	return snapshot_save(p->s, &key, &f, span_str(state), &p->e);
}

static int load_by(struct place *p, const struct snapshot_key *k, uint32_t at_most)
{
	return snapshot_load(p->s, k, at_most, evlog_durable(p->s), &p->version, &p->state, &p->e);
}

static int load(struct place *p)
{
	return load_by(p, &key, UINT32_MAX);
}

static void assert_state(const struct place *p, uint32_t version, const char *state)
{
	assert_int_equal(p->version, version);
	assert_int_equal(p->state.len, strlen(state));
	assert_memory_equal(p->state.data, state, p->state.len);
}

static int note_name(const struct snapshot_info *info, void *arg, struct err *e)
{
	(void)e;
	snprintf(arg, 200, "%s", info->name);
	return 0;
}

/* The only file in snap/, as a path. */
static void file_of(struct place *p, char to[600])
{
	char name[200] = "";

	must(p, snapshot_each(p->s, note_name, name, &p->e));
	snprintf(to, 600, "%s/snap/%s", p->store, name);
}

/* Run a command of sh, with $1 and $2 as two names. */
static void run(const char *command, const char *from, const char *to)
{
	char script[2000];

	snprintf(script, sizeof(script), "set -- '%s' '%s'; %s", from, to, command);
	shell_expect(script, 0, "", NULL);
}

/* ---- Keeping and finding. */

static void a_state_comes_back_with_its_version(void **state)
{
	struct place p = make_place();

	(void)state;
	assert_int_equal(load(&p), 0);
	must(&p, save(&p, 3, "{\"n\":[1,\"\\u0000\"]}"));
	assert_int_equal(load(&p), 1);
	assert_state(&p, 3, "{\"n\":[1,\"\\u0000\"]}");
	must(&p, save(&p, 4, "null"));
	assert_int_equal(load(&p), 1);
	assert_state(&p, 4, "null");
	close_place(&p);
}

static void a_state_is_of_one_stream_one_program_and_one_first_event(void **state)
{
	struct place p = make_place();
	struct snapshot_key other;

	(void)state;
	must(&p, save(&p, 3, "1"));
	other = key;
	other.stream = span_str("b");
	assert_int_equal(load_by(&p, &other, UINT32_MAX), 0);
	other = key;
	other.program[15] ^= 1;
	assert_int_equal(load_by(&p, &other, UINT32_MAX), 0);
	other = key;
	other.first = 2;
	assert_int_equal(load_by(&p, &other, UINT32_MAX), 0);
	assert_int_equal(load(&p), 1);
	close_place(&p);
}

static void a_state_that_is_too_new_is_not_used(void **state)
{
	struct place p = make_place();
	struct frame f;

	(void)state;
	must(&p, save(&p, 3, "1"));
	assert_int_equal(load_by(&p, &key, 2), 0);
	assert_int_equal(load_by(&p, &key, 3), 1);
	assert_int_equal(evlog_at(p.s, key.stream, 3, UINT64_MAX, &f, &p.e), 1);
	assert_int_equal(snapshot_load(p.s, &key, 3, f.seq - 1, &p.version, &p.state, &p.e), 0);
	close_place(&p);
}

static void a_state_over_the_limit_is_not_kept(void **state)
{
	struct place p = make_place();
	char *big = malloc(SNAPSHOT_STATE_MAX + 2);

	(void)state;
	memset(big, '1', SNAPSHOT_STATE_MAX + 1);
	big[SNAPSHOT_STATE_MAX + 1] = '\0';
	assert_int_equal(save(&p, 3, big), -1);
	assert_int_equal(p.e.code, EFBIG);
	big[SNAPSHOT_STATE_MAX] = '\0';
	must(&p, save(&p, 3, big));
	assert_int_equal(load(&p), 1);
	assert_state(&p, 3, big);
	free(big);
	close_place(&p);
}

/* ---- What does not agree any more. */

static void another_log_makes_it_void(void **state)
{
	struct place p = make_place();
	char backup[300];
	uint64_t last;

	(void)state;
	/* The store is restored from a backup, and goes on in another way. */
	snprintf(backup, sizeof(backup), "%s/backup", p.dir);
	must(&p, evlog_backup(p.s, backup, true, &last, &p.e));
	must(&p, check_append(p.s, "a a a", NULL, &p.e));
	must(&p, save(&p, 7, "\"of a future that is gone\""));
	assert_int_equal(load(&p), 1);
	evlog_close(p.s);
	run("cp -a $1/s/snap $1/kept && rm -r $1/s", p.dir, "");
	must(&p, evlog_restore(backup, p.store, &io_os, &p.e));
	run("cp -a $1/kept $1/s/snap", p.dir, "");
	open_store(&p, NULL);
	assert_int_equal(load(&p), 0); /* there is no version 7 */
	must(&p, check_append(p.s, "a", NULL, &p.e));
	must(&p, check_append(p.s, "a", NULL, &p.e));
	must(&p, check_append(p.s, "a", NULL, &p.e));
	assert_int_equal(load(&p), 0); /* it is another one */
	must(&p, save(&p, 7, "1"));
	assert_int_equal(load(&p), 1);
	close_place(&p);
}

static void a_file_of_another_store_is_void(void **state)
{
	struct place p = make_place();
	struct place q = {.dir = tmp_dir_new()};
	struct evlog_init init = {.uuid = "another store..", .now_ns = CHECK_TIME_NS};

	(void)state;
	must(&p, save(&p, 3, "1"));
	snprintf(q.store, sizeof(q.store), "%s/s", q.dir);
	must(&q, evlog_create(q.store, &init, &q.e));
	open_store(&q, NULL);
	for (int i = 0; i < 5; i++)
		must(&q, check_append(q.s, "a b", NULL, &q.e));
	run("cp -a $1/snap $2/snap", p.store, q.store);
	assert_int_equal(load(&q), 0);
	close_place(&q);
	close_place(&p);
}

static void a_file_with_any_bit_flipped_is_void(void **state)
{
	struct place p = make_place();
	char path[600];
	struct buf file = {0};
	int fd;

	(void)state;
	must(&p, save(&p, 3, "{\"total\":3}"));
	file_of(&p, path);
	must(&p, file_read(AT_FDCWD, path, 1000, &file, &p.e));
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (size_t bit = 0; bit < 8 * file.len; bit++) {
		char byte = (char)(file.data[bit / 8] ^ (1 << bit % 8));

		assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
		if (load(&p) != 0)
			fail_msg("bit %zu is flipped, and it is used", bit);
		assert_int_equal(pwrite(fd, file.data + bit / 8, 1, (off_t)(bit / 8)), 1);
	}
	assert_int_equal(load(&p), 1);
	for (size_t len = 0; len < file.len; len++) {
		assert_int_equal(ftruncate(fd, (off_t)len), 0);
		if (load(&p) != 0)
			fail_msg("it is used with %zu bytes", len);
	}
	assert_int_equal(pwrite(fd, file.data, file.len, 0), (ssize_t)file.len);
	assert_int_equal(pwrite(fd, "\n", 1, (off_t)file.len), 1);
	assert_int_equal(load(&p), 0);
	close(fd);
	buf_done(&file);
	close_place(&p);
}

static void what_is_no_file_is_void(void **state)
{
	struct place p = make_place();
	char path[600];

	(void)state;
	must(&p, save(&p, 3, "1"));
	file_of(&p, path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(load(&p), 0);
	assert_int_equal(save(&p, 3, "1"), -1);
	assert_int_equal(rmdir(path), 0);
	close_place(&p);
}

/* ---- Failures and power loss. */

static void a_failed_call_leaves_the_one_before(void **state)
{
	unsigned n = 1;

	(void)state;
	for (;; n++) {
		struct place p = make_place();
		unsigned hits;
		int r;

		must(&p, save(&p, 3, "\"old\""));
		evlog_close(p.s);
		open_store(&p, fault_io_start(&io_os));
		fault_io_add((struct fault){.call = FAULT_ANY, .nth = n, .error = ENOSPC});
		r = save(&p, 4, "\"new\"");
		hits = fault_io_hits();
		fault_io_start(&io_os);
		assert_int_equal(load(&p), 1);
		if (r < 0)
			assert_state(&p, 3, "\"old\"");
		else
			assert_state(&p, 4, "\"new\"");
		close_place(&p);
		if (hits == 0)
			break;
	}
	assert_true(n > 4);
}

static int check_image(const struct record_image *im, void *arg, struct err *e)
{
	struct evlog *s = check_open(im->dir, NULL, e);
	struct buf state = {0};
	uint32_t version;
	int r;

	(void)arg;
	if (s == NULL)
		return -1;
	r = snapshot_load(s, &key, UINT32_MAX, evlog_durable(s), &version, &state, e);
	if (r > 0 && (state.len != 400 || strspn(state.data, version == 3 ? "3" : "4") < 400))
		r = err_set(e, EIO, "a state that was never kept");
	buf_done(&state);
	evlog_close(s);
	return r < 0 ? -1 : 0;
}

static bool is_mapped(const char *path)
{
	return strcmp(path, "ctl") == 0 || strcmp(path, "index/active") == 0;
}

static void after_a_power_loss_there_is_one_that_is_right_or_none(void **state)
{
	struct place p = make_place();
	struct record_setup setup = {.root = p.store, .mapped = is_mapped};
	struct record_options options = RECORD_OPTIONS_DEFAULT;
	struct record_io *r;
	const struct io *io;
	char text[401] = "";

	(void)state;
	evlog_close(p.s);
	r = record_io_start(&setup, &io, &p.e);
	assert_non_null(r);
	open_store(&p, io);
	memset(text, '3', 400);
	must(&p, save(&p, 3, text));
	memset(text, '4', 400);
	must(&p, save(&p, 4, text));
	options.seed = seeded();
	must(&p, (int)record_io_images(r, &options, check_image, NULL, &p.e));
	record_io_free(r);
	close_place(&p);
}

/* ---- All of them. */

struct seen {
	unsigned sound, other;
	char name[SNAPSHOT_NAME_LEN + 1];
	uint32_t version;
	size_t state_len;
};

static int see(const struct snapshot_info *info, void *arg, struct err *e)
{
	struct seen *seen = arg;

	(void)e;
	if (info->stream.len == 0) {
		seen->other++;
		return 0;
	}
	seen->sound++;
	assert_true(span_is(info->stream, key.stream));
	assert_true(info->time_ns > 0);
	assert_string_equal(info->program, "7468652070726f6772616d2e2e2e2e00");
	snprintf(seen->name, sizeof(seen->name), "%s", info->name);
	seen->version = info->version;
	seen->state_len = info->state_len;
	return 0;
}

static void they_can_be_listed_and_removed(void **state)
{
	struct place p = make_place();
	struct seen seen = {0};
	char path[400];

	(void)state;
	must(&p, snapshot_each(p.s, see, &seen, &p.e));
	assert_int_equal(seen.sound + seen.other, 0);
	must(&p, save(&p, 3, "[1,2]"));
	snprintf(path, sizeof(path), "%s/snap/stray", p.store);
	assert_int_equal(symlink("/dev/zero", path), 0);
	must(&p, snapshot_each(p.s, see, &seen, &p.e));
	assert_int_equal(seen.sound, 1);
	assert_int_equal(seen.other, 1);
	assert_int_equal(seen.version, 3);
	assert_int_equal(seen.state_len, 5);
	must(&p, snapshot_remove(p.s, seen.name, &p.e));
	must(&p, snapshot_remove(p.s, seen.name, &p.e));
	must(&p, snapshot_remove(p.s, "stray", &p.e));
	assert_int_equal(load(&p), 0);
	seen = (struct seen){0};
	must(&p, snapshot_each(p.s, see, &seen, &p.e));
	assert_int_equal(seen.sound + seen.other, 0);
	close_place(&p);
}

/* ---- What else commands ask of the store. */

static void an_event_is_found_by_its_id(void **state)
{
	struct place p = make_place();
	struct span id = span_str("order-1");
	struct frame f;

	(void)state;
	assert_int_equal(evlog_find(p.s, key.stream, id, UINT64_MAX, &f, &p.e), 0);
	must(&p, check_append(p.s, "a=order-1 b=order-2", NULL, &p.e));
	assert_int_equal(evlog_find(p.s, key.stream, id, UINT64_MAX, &f, &p.e), 1);
	assert_int_equal(f.version, 5);
	assert_int_equal(evlog_find(p.s, key.stream, id, f.seq, &f, &p.e), 1);
	assert_int_equal(evlog_find(p.s, key.stream, id, f.seq - 1, &f, &p.e), 0);
	assert_int_equal(evlog_find(p.s, span_str("b"), id, UINT64_MAX, &f, &p.e), 0);
	assert_int_equal(evlog_find(p.s, span_str("none"), id, UINT64_MAX, &f, &p.e), 0);
	close_place(&p);
}

static void what_somebody_wrote_who_died_can_be_synced(void **state)
{
	struct place p = make_place();
	uint64_t before = evlog_durable(p.s);

	(void)state;
	must(&p, check_commit(p.s, "a", NULL, &p.e));
	assert_int_equal(evlog_durable(p.s), before);
	assert_int_equal(evlog_written(p.s), before + 1);
	must(&p, evlog_sync(p.s, evlog_written(p.s), &p.e));
	assert_int_equal(evlog_durable(p.s), before + 1);
	close_place(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_state_comes_back_with_its_version),
	    cmocka_unit_test(a_state_is_of_one_stream_one_program_and_one_first_event),
	    cmocka_unit_test(a_state_that_is_too_new_is_not_used),
	    cmocka_unit_test(a_state_over_the_limit_is_not_kept),
	    cmocka_unit_test(another_log_makes_it_void),
	    cmocka_unit_test(a_file_of_another_store_is_void),
	    cmocka_unit_test(a_file_with_any_bit_flipped_is_void),
	    cmocka_unit_test(what_is_no_file_is_void),
	    cmocka_unit_test(a_failed_call_leaves_the_one_before),
	    cmocka_unit_test(after_a_power_loss_there_is_one_that_is_right_or_none),
	    cmocka_unit_test(they_can_be_listed_and_removed),
	    cmocka_unit_test(an_event_is_found_by_its_id),
	    cmocka_unit_test(what_somebody_wrote_who_died_can_be_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
