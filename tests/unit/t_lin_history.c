/*
 * Histories as files.  With arguments this program checks those files and tells what is wrong with
 * them, for a person with a history: exit 1 when one is bad, 2 when one was given up or unreadable.
 */
#include "lin/history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/file.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FILE_MAX ((size_t)1 << 30)

static void load(struct history *h, struct buf *text, const char *path)
{
	struct err e;

	if (file_read(AT_FDCWD, path, FILE_MAX, text, &e) < 0 ||
	    history_read(h, text->data, text->len, &e) < 0) {
		fprintf(stderr, "%s: %s\n", path, e.msg);
		exit(2);
	}
}

/* The worst of a history's keys; a bad one is explained in `why`. */
static enum lin_answer check(const struct history *h, struct buf *why, uint64_t *steps)
{
	struct lin *l = lin_new(NULL);
	struct lin_state from = lin_absent();
	enum lin_answer worst = LIN_GOOD;

	if (l == NULL)
		return LIN_GAVE_UP;
	for (size_t i = 0; i < h->keys_n; i++) {
		struct lin_report r;

		lin_check(l, h->keys[i].ops, h->keys[i].ops_n, &from, &r);
		*steps += r.steps;
		if (r.answer == LIN_BAD)
			history_explain(why, h, &h->keys[i], &from, &r);
		if (r.answer == LIN_BAD || worst == LIN_GOOD)
			worst = r.answer;
	}
	lin_free(l);
	return worst;
}

static int check_files(int n, char **paths)
{
	static const char *const words[] = {"linearizable", "NOT linearizable", "given up"};
	enum lin_answer worst = LIN_GOOD;

	for (int i = 0; i < n; i++) {
		struct buf text = {0}, why = {0};
		enum lin_answer a;
		struct history h;
		uint64_t steps = 0;

		load(&h, &text, paths[i]);
		a = check(&h, &why, &steps);
		fwrite(why.data, 1, why.len, stdout);
		printf("%s: %s; %zu operations, %zu keys, %" PRIu64 " steps\n", paths[i], words[a],
		       h.ops_n, h.keys_n, steps);
		if (a == LIN_BAD || worst == LIN_GOOD)
			worst = a;
		history_done(&h);
		buf_done(&text);
		buf_done(&why);
	}
	return (int)worst;
}

/* Written and read again, a history is the same one. */
static void check_written_again(const struct history *h, const char *path)
{
	struct buf one = {0}, two = {0};
	struct history again;
	struct err e;

	for (size_t i = 0; i < h->keys_n; i++)
		for (size_t k = 0; k < h->keys[i].ops_n; k++)
			history_put_op(&one, h, h->keys[i].name, &h->keys[i].ops[k]);
	if (history_read(&again, one.data, one.len, &e) < 0)
		fail_msg("%s: %s", path, e.msg);
	assert_int_equal(again.ops_n, h->ops_n);
	assert_int_equal(again.names_n, h->names_n);
	for (size_t i = 0; i < again.keys_n; i++)
		for (size_t k = 0; k < again.keys[i].ops_n; k++)
			history_put_op(&two, &again, again.keys[i].name, &again.keys[i].ops[k]);
	assert_int_equal(one.len, two.len);
	if (one.len > 0)
		assert_memory_equal(one.data, two.data, one.len);
	history_done(&again);
	buf_done(&one);
	buf_done(&two);
}

static int is_history(const struct dirent *d)
{
	return strstr(d->d_name, ".jsonl") != NULL;
}

static void check_dir(const char *dir, enum lin_answer want)
{
	struct dirent **names;
	int n = scandir(dir, &names, is_history, alphasort);

	assert_true(n >= 15);
	for (int i = 0; i < n; i++) {
		struct buf text = {0}, why = {0};
		struct history h;
		uint64_t steps = 0;
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		load(&h, &text, path);
		if (text.len < 2 || text.data[0] != '#')
			fail_msg("%s: the first line does not say why", path);
		if (check(&h, &why, &steps) != want)
			fail_msg("%s: %.*s", path, (int)why.len, why.len > 0 ? why.data : "");
		check_written_again(&h, path);
		history_done(&h);
		buf_done(&text);
		buf_done(&why);
		free(names[i]);
	}
	free(names);
	printf("# %d files in %s\n", n, dir);
}

static void good_histories_are_good(void **state)
{
	(void)state;
	check_dir("tests/lin/good", LIN_GOOD);
}

static void bad_histories_are_bad(void **state)
{
	(void)state;
	check_dir("tests/lin/bad", LIN_BAD);
}

static void what_is_no_history_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *line;
		const char *want;
	} bad[] = {
	    {"{", "line 3: column 2"},
	    {"[]", "not an object"},
	    {"{\"c\":1,\"k\":\"x\",\"t0\":1}", "\"op\" is not get, put"},
	    {"{\"op\":\"mul\",\"c\":1,\"k\":\"x\",\"t0\":1}", "\"op\" is not get, put"},
	    {"{\"op\":\"get\",\"c\":1,\"k\":\"x\"}", "no \"t0\""},
	    {"{\"op\":\"get\",\"c\":1,\"k\":\"x\",\"t0\":-1}", "\"t0\" is no whole"},
	    {"{\"op\":\"get\",\"c\":1,\"k\":\"x\",\"t0\":1.5}", "\"t0\" is no whole"},
	    {"{\"op\":\"get\",\"c\":1,\"k\":\"x\",\"t0\":9223372036854775808}", "below 2^63"},
	    {"{\"op\":\"get\",\"c\":1,\"k\":\"x\",\"out\":1,\"t0\":2,\"t1\":1}", "before"},
	    {"{\"op\":\"get\",\"c\":1,\"t0\":2}", "no \"k\""},
	    {"{\"op\":\"get\",\"k\":[],\"c\":1,\"t0\":2}", "\"k\": neither a string"},
	    {"{\"op\":\"get\",\"k\":1,\"t0\":2}", "no \"c\""},
	    {"{\"op\":\"get\",\"k\":1,\"c\":1,\"t0\":2,\"t1\":3}", "no \"out\""},
	    {"{\"op\":\"get\",\"k\":1,\"c\":1,\"out\":{},\"t0\":2,\"t1\":3}", "\"out\": neither"},
	    {"{\"op\":\"put\",\"k\":1,\"c\":1,\"t0\":2}", "no \"in\""},
	    {"{\"op\":\"put\",\"k\":1,\"c\":1,\"in\":null,\"t0\":2}", "\"in\" is null"},
	    {"{\"op\":\"put\",\"k\":1,\"c\":1,\"in\":1,\"out\":1,\"t0\":2,\"t1\":3}",
	     "neither true nor false"},
	    {"{\"op\":\"put\",\"k\":1,\"c\":1,\"in\":1,\"out\":false,\"t0\":2,\"t1\":3}",
	     "cannot be refused"},
	    {"{\"op\":\"put\",\"k\":1,\"c\":1,\"in\":1,\"if\":1,\"t0\":2}", "\"if\" is for"},
	    {"{\"op\":\"cas\",\"k\":1,\"c\":1,\"in\":1,\"t0\":2}", "[expected,value]"},
	    {"{\"op\":\"cas\",\"k\":1,\"c\":1,\"in\":[1],\"t0\":2}", "[expected,value]"},
	    {"{\"op\":\"cas\",\"k\":1,\"c\":1,\"in\":[1,2,3],\"t0\":2}", "[expected,value]"},
	    {"{\"op\":\"cas\",\"k\":1,\"c\":1,\"in\":[1,null],\"t0\":2}", "[expected,value]"},
	    {"{\"op\":\"cas\",\"k\":1,\"c\":1,\"in\":[1,[]],\"t0\":2}", "\"in\": neither"},
	    {"{\"op\":\"acquire\",\"k\":1,\"c\":1,\"s\":null,\"t0\":2}", "\"s\" is null"},
	    {"{\"op\":\"get\",\"k\":1,\"c\":1,\"c\":1,\"t0\":2}", "line 3: "},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct buf text = {0};
		struct history h;
		struct err e;

		buf_printf(&text, "# why\n\n%s\n", bad[i].line);
		assert_int_equal(history_read(&h, text.data, text.len, &e), -1);
		assert_int_equal(e.code, EBADMSG);
		if (strstr(e.msg, bad[i].want) == NULL || strstr(e.msg, "line 3: ") == NULL)
			fail_msg("%s: %s", bad[i].line, e.msg);
		assert_null(h.ops);
		buf_done(&text);
	}
}

static void a_line_has_a_limit(void **state)
{
	struct buf text = {0};
	struct history h;
	struct err e;

	(void)state;
	buf_add_str(&text, "\n");
	for (size_t i = 0; i <= HISTORY_LINE_MAX; i++)
		buf_add_char(&text, ' ');
	assert_int_equal(history_read(&h, text.data, text.len, &e), -1);
	assert_string_equal(e.msg, "line 2: too long");
	buf_done(&text);
}

static void keys_and_values_are_bytes(void **state)
{
	static const char text[] =
	    "{\"c\":\"a\",\"op\":\"put\",\"k\":\"b\\u0000\",\"in\":\"\",\"out\":true,"
	    "\"t0\":0,\"t1\":1}\n"
	    "{\"c\":\"a\",\"op\":\"get\",\"k\":\"b\",\"out\":null,\"t0\":2,\"t1\":3}\n"
	    "{\"c\":\"a\",\"op\":\"get\",\"k\":\"b\\u0000\",\"out\":\"\",\"t0\":2,\"t1\":3}";
	struct buf why = {0};
	struct history h;
	uint64_t steps = 0;
	struct err e;

	(void)state;
	assert_int_equal(history_read(&h, text, sizeof(text) - 1, &e), 0);
	assert_int_equal(h.keys_n, 2);
	assert_int_equal(h.keys[0].name.len, 1);
	assert_int_equal(h.keys[1].name.len, 2);
	assert_int_equal(h.keys[1].ops_n, 2);
	assert_int_equal(check(&h, &why, &steps), LIN_GOOD);
	history_done(&h);
	buf_done(&why);
}

/* jq 1.6 and every reader with doubles would make one number of these two. */
static void numbers_beyond_2_53_keep_their_digits(void **state)
{
	static const char text[] =
	    "{\"c\":1,\"op\":\"put\",\"k\":\"x\",\"in\":9007199254740993,\"out\":true,"
	    "\"v\":\"9007199254740993\",\"t0\":9007199254740992,\"t1\":9007199254740993}\n"
	    "{\"c\":1,\"op\":\"get\",\"k\":\"x\",\"out\":\"9007199254740992\","
	    "\"t0\":9007199254740994,\"t1\":9007199254740995}\n";
	struct buf why = {0}, line = {0};
	struct history h;
	uint64_t steps = 0;
	struct err e;

	(void)state;
	assert_int_equal(history_read(&h, text, sizeof(text) - 1, &e), 0);
	assert_int_equal(check(&h, &why, &steps), LIN_BAD);
	history_put_op(&line, NULL, (struct span){"x", 1}, &h.ops[0]);
	buf_add_char(&line, '\0');
	assert_non_null(strstr(line.data, "\"v\":\"9007199254740993\""));
	assert_non_null(strstr(line.data, "\"t1\":\"9007199254740993\""));
	assert_non_null(strstr(line.data, "\"t0\":9007199254740992"));
	history_done(&h);
	buf_done(&why);
	buf_done(&line);
}

static void a_failure_can_be_read(void **state)
{
	static const char want[] =
	    "key \"x\" is not linearizable: an order of 4 operations is the longest, of 6 there "
	    "are:\n"
	    "         0 .. 10          client \"1\": put \"1\" -> true\n"
	    "      then the value is \"1\"\n"
	    "        20 .. ?           client \"2\": put \"2\" -> no answer\n"
	    "      then the value is \"2\"\n"
	    "        30 .. 40          client \"3\": get -> \"2\"\n"
	    "      then the value is \"2\"\n"
	    "        55 .. 70          client \"1\": acquire as \"s\" -> true\n"
	    "      then the value is \"2\", held by \"s\"\n"
	    "What has to come next, and cannot:\n"
	    "        50 .. 60          client \"4\": get -> \"1\"\n"
	    "What could come before it, tried in every order:\n"
	    "        45 .. ?           client \"5\": cas \"4\" if it is \"3\" -> no answer, does "
	    "not fit\n";
	struct buf text = {0}, why = {0};
	struct history h;
	uint64_t steps = 0;
	struct err e;

	(void)state;
	buf_add_str(
	    &text, "{\"c\":1,\"op\":\"put\",\"k\":\"x\",\"in\":1,\"out\":true,\"t0\":0,\"t1\":10}\n"
		   "{\"c\":2,\"op\":\"put\",\"k\":\"x\",\"in\":2,\"t0\":20}\n"
		   "{\"c\":3,\"op\":\"get\",\"k\":\"x\",\"out\":2,\"t0\":30,\"t1\":40}\n"
		   "{\"c\":4,\"op\":\"get\",\"k\":\"x\",\"out\":1,\"t0\":50,\"t1\":60}\n"
		   "{\"c\":5,\"op\":\"cas\",\"k\":\"x\",\"in\":[3,4],\"t0\":45}\n"
		   "{\"c\":1,\"op\":\"acquire\",\"k\":\"x\",\"s\":\"s\",\"out\":true,\"t0\":55,"
		   "\"t1\":70}\n");
	assert_int_equal(history_read(&h, text.data, text.len, &e), 0);
	assert_int_equal(check(&h, &why, &steps), LIN_BAD);
	buf_add_char(&why, '\0');
	assert_string_equal(why.data, want);
	history_done(&h);
	buf_done(&text);
	buf_done(&why);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_histories_are_good),
	    cmocka_unit_test(bad_histories_are_bad),
	    cmocka_unit_test(what_is_no_history_is_refused_with_its_line),
	    cmocka_unit_test(a_line_has_a_limit),
	    cmocka_unit_test(keys_and_values_are_bytes),
	    cmocka_unit_test(numbers_beyond_2_53_keep_their_digits),
	    cmocka_unit_test(a_failure_can_be_read),
	};

	if (argc > 1)
		return check_files(argc - 1, argv + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
