/* log: one line, one write, nothing a value holds can break it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "os/log.h"

/* Packets keep writes apart. */
static int packets[2];

static int set_up(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, packets);
}

static const char *next_write(void)
{
	static char line[4096];
	ssize_t n = read(packets[0], line, sizeof(line) - 1);

	line[n > 0 ? n : 0] = '\0';
	return n > 0 ? line : NULL;
}

static void write_event(enum log_format format, const char *msg, const char *text)
{
	struct log l = {packets[1], LOG_INFO, format};
	struct log_field fields[] = {{"text", text, 0}, {"number", NULL, INT64_MIN}};

	log_event(&l, LOG_WARN, msg, fields, 2);
}

/* The time is of now: compare what comes after it. */
static void expect(enum log_format format, const char *msg, const char *text, const char *after)
{
	size_t skip =
	    strlen(format == LOG_HUMAN ? "10:00:00.123 " : "{\"ts\":\"2026-11-23T10:00:00.123456Z");
	const char *line;

	if (format == LOG_LOGFMT)
		skip = strlen("ts=2026-11-23T10:00:00.123456Z");
	write_event(format, msg, text);
	line = next_write();
	assert_non_null(line);
	assert_true(strlen(line) > skip);
	assert_string_equal(line + skip, after);
	assert_null(next_write());
}

static void an_event_is_one_line_in_one_write(void **state)
{
	(void)state;
	expect(LOG_JSON, "m", "v",
	       "\",\"level\":\"warn\",\"msg\":\"m\",\"text\":\"v\",\"number\":-9223372036854775808}"
	       "\n");
	expect(LOG_LOGFMT, "m", "v", " level=warn msg=m text=v number=-9223372036854775808\n");
	expect(LOG_HUMAN, "m n", "v", "warn  m n text=v number=-9223372036854775808\n");
}

static void values_are_escaped(void **state)
{
	(void)state;
	expect(LOG_JSON, "a\nb", "\"\\",
	       "\",\"level\":\"warn\",\"msg\":\"a\\nb\",\"text\":\"\\\"\\\\\","
	       "\"number\":-9223372036854775808}\n");
	expect(LOG_LOGFMT, "a\nb", "",
	       " level=warn msg=\"a\\nb\" text=\"\" number=-9223372036854775808\n");
	expect(
	    LOG_LOGFMT, "a b=\"", "\303\251\033",
	    " level=warn msg=\"a b=\\\"\" text=\"\303\251\\u001b\" number=-9223372036854775808\n");
	expect(LOG_HUMAN, "a\n\033[1m b", "c\nd",
	       "warn  a??[1m b text=\"c\\nd\" number=-9223372036854775808\n");
}

static void every_byte_in_a_value_gives_valid_json_on_one_line(void **state)
{
	char text[256];
	json_t *json;

	(void)state;
	for (size_t i = 0; i < 255; i++)
		text[i] = (char)(i + 1);
	text[255] = '\0';
	write_event(LOG_JSON, text, text);
	json = json_loads(next_write(), 0, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "level")), "warn");
	json_decref(json);
	assert_null(next_write());
}

static void events_above_the_level_are_dropped(void **state)
{
	struct log l = {packets[1], LOG_WARN, LOG_JSON};

	(void)state;
	log_event(&l, LOG_INFO, "no", NULL, 0);
	log_event(&l, LOG_DEBUG, "no", NULL, 0);
	assert_null(next_write());
	log_event(&l, LOG_WARN, "yes", NULL, 0);
	assert_non_null(next_write());
	log_event(&l, LOG_ERROR, "yes", NULL, 0);
	assert_non_null(strstr(next_write(), "\"level\":\"error\",\"msg\":\"yes\"}\n"));
}

static void a_log_that_cannot_be_written_is_no_error(void **state)
{
	struct log l = {-1, LOG_WARN, LOG_JSON};

	(void)state;
	log_event(&l, LOG_WARN, "lost", NULL, 0);
}

static void levels_and_formats_have_names(void **state)
{
	enum log_format format;
	enum log_level level;
	struct err e;

	(void)state;
	assert_int_equal(log_level_of("debug", &level, &e), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_format_of("logfmt", &format, &e), 0);
	assert_int_equal(format, LOG_LOGFMT);
	assert_int_equal(log_level_of("loud", &level, &e), -1);
	assert_int_equal(e.code, EINVAL);
	assert_string_equal(e.msg, "log level 'loud': error, warn, info or debug");
	assert_int_equal(log_format_of("", &format, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_event_is_one_line_in_one_write),
	    cmocka_unit_test(values_are_escaped),
	    cmocka_unit_test(every_byte_in_a_value_gives_valid_json_on_one_line),
	    cmocka_unit_test(events_above_the_level_are_dropped),
	    cmocka_unit_test(a_log_that_cannot_be_written_is_no_error),
	    cmocka_unit_test(levels_and_formats_have_names),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
