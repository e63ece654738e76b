#include "base/url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void parse(struct url *u, const char *text)
{
	struct err e;

	if (url_parse(u, text, &e) < 0)
		fail_msg("'%s': %s", text, e.msg);
}

/* Refused with that code and with a message that has that part in it. */
static void refuse(const char *text, int code, const char *part)
{
	struct url u;
	struct err e;

	if (url_parse(&u, text, &e) == 0)
		fail_msg("'%s' was accepted", text);
	assert_int_equal(e.code, code);
	if (strstr(e.msg, part) == NULL)
		fail_msg("'%s': %s", text, e.msg);
	url_done(&u);
}

static void a_path_is_a_directory_and_stands_as_it_is(void **state)
{
	static const char *const paths[] = {"/var/lib/x", "store", "./a:b", "../x y", "a%20b?c#d",
	                                    "-",          "/",     "1:2",   ":",      "a/b:c"};
	struct url u;

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		parse(&u, paths[i]);
		assert_int_equal(u.scheme, URL_FILE);
		assert_string_equal(u.path, paths[i]);
		assert_int_equal(u.hosts, 0);
		assert_int_equal(u.params, 0);
		assert_null(u.user);
		url_done(&u);
	}
}

static void a_file_url_has_escapes_and_parameters(void **state)
{
	static const struct {
		const char *text;
		const char *path;
	} good[] = {
	    {"file:store", "store"},
	    {"file:/var/lib/x", "/var/lib/x"},
	    {"file:///var/lib/x", "/var/lib/x"},
	    {"file://localhost/var/x", "/var/x"},
	    {"FILE:a%20b%3Fc", "a b?c"},
	    {"file:a:b", "a:b"},
	};
	struct url u;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		parse(&u, good[i].text);
		assert_int_equal(u.scheme, URL_FILE);
		assert_string_equal(u.path, good[i].path);
		url_done(&u);
	}
	parse(&u, "file:x?a=1&b=two%26&c&d=x=y");
	assert_string_equal(u.path, "x");
	assert_int_equal(u.params, 4);
	assert_string_equal(url_param(&u, "a"), "1");
	assert_string_equal(url_param(&u, "b"), "two&");
	assert_string_equal(url_param(&u, "c"), "");
	assert_string_equal(url_param(&u, "d"), "x=y");
	assert_null(url_param(&u, "e"));
	url_done(&u);
	refuse("file:", EINVAL, "without a path");
	refuse("file:?a=1", EINVAL, "without a path");
	refuse("file://host/x", EINVAL, "no host fits");
	refuse("file://x", EINVAL, "no host fits");
}

static void a_socket_has_a_path_that_fits_into_its_address(void **state)
{
	char text[200] = "unix:/";
	struct url u;

	(void)state;
	parse(&u, "unix:/run/raftd.sock?prefix=a");
	assert_int_equal(u.scheme, URL_UNIX);
	assert_string_equal(u.path, "/run/raftd.sock");
	assert_string_equal(url_param(&u, "prefix"), "a");
	url_done(&u);
	parse(&u, "unix:///run/raftd.sock");
	assert_string_equal(u.path, "/run/raftd.sock");
	url_done(&u);
	memset(text + 6, 'x', URL_UNIX_LEN_MAX - 1);
	parse(&u, text);
	url_done(&u);
	text[5 + URL_UNIX_LEN_MAX] = 'x';
	refuse(text, E2BIG, "at most 107 bytes");
	refuse("unix:", EINVAL, "without a path");
	refuse("unix://run/x", EINVAL, "no host fits");
}

static void a_url_names_its_hosts_in_order(void **state)
{
	struct url u;

	(void)state;
	parse(&u, "http://a:8500,b.example:8501,10.0.0.1,[::1]:8503,[fe80::1%eth0]");
	assert_int_equal(u.scheme, URL_HTTP);
	assert_int_equal(u.hosts, 5);
	assert_string_equal(u.host[0].name, "a");
	assert_int_equal(u.host[0].port, 8500);
	assert_string_equal(u.host[1].name, "b.example");
	assert_int_equal(u.host[1].port, 8501);
	assert_string_equal(u.host[2].name, "10.0.0.1");
	assert_int_equal(u.host[2].port, 0);
	assert_string_equal(u.host[3].name, "::1");
	assert_int_equal(u.host[3].port, 8503);
	assert_string_equal(u.host[4].name, "fe80::1%eth0");
	assert_int_equal(u.host[4].port, 0);
	assert_string_equal(u.path, "");
	url_done(&u);
}

static void a_host_may_repeat_the_scheme_but_not_change_it(void **state)
{
	struct url u;

	(void)state;
	parse(&u, "http://a:1,HTTP://b:2,c:3/kv/x?y=z");
	assert_int_equal(u.hosts, 3);
	assert_string_equal(u.host[1].name, "b");
	assert_int_equal(u.host[2].port, 3);
	assert_string_equal(u.path, "/kv/x");
	assert_string_equal(url_param(&u, "y"), "z");
	url_done(&u);
	refuse("http://a:1,https://b:2", EINVAL, "second scheme");
	refuse("http://a:1,etcd://b:2", EINVAL, "second scheme");
}

static void every_kind_of_store_is_known_by_its_scheme(void **state)
{
	static const struct {
		const char *text;
		enum url_scheme scheme;
	} good[] = {
	    {"http://a", URL_HTTP},
	    {"https://a", URL_HTTPS},
	    {"etcd://a,b,c", URL_ETCD},
	    {"redis://a/0", URL_REDIS},
	    {"redis+quorum://a,b,c", URL_REDIS_QUORUM},
	    {"postgresql://me@db/events?password-file=/etc/x", URL_POSTGRESQL},
	    {"memcached://a", URL_MEMCACHED},
	};
	struct url u;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		parse(&u, good[i].text);
		assert_int_equal(u.scheme, good[i].scheme);
		assert_memory_equal(good[i].text, url_scheme_name(u.scheme),
		                    strlen(url_scheme_name(u.scheme)));
		url_done(&u);
	}
	parse(&u, "postgresql://a%20user@db:5432/events");
	assert_string_equal(u.user, "a user");
	assert_string_equal(u.host[0].name, "db");
	assert_string_equal(u.path, "/events");
	url_done(&u);
	refuse("localhost:8500", EINVAL, "known are a directory, file:DIR, unix:SOCKET, http://");
	refuse("ftp://a", EINVAL, "'ftp:' is no kind of store");
	refuse("rediss://a", EINVAL, "'rediss:' is no kind of store");
}

static void a_password_is_refused_and_never_shown(void **state)
{
	static const char *const bad[] = {
	    "redis://:secret@a",           "redis://u:secret@a",        "redis://u:@a/secret",
	    "postgresql://u:sec@secret@a", "redis://:secret/secret@a",  "redis://:secret,secret@a",
	    "redis://:secret?secret@a",    "redis://:secret,:secret@a", "redis://u:1,u:secret@a",
	    "redis://u:%secret@a",         "redis://a?password=secret", "redis://a?PASSWORD=secret",
	    "redis://a?pass%77ord=secret", "redis://a,u:secret@b",      "redis://secret://x@a",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct url u;
		struct err e;

		if (url_parse(&u, bad[i], &e) == 0)
			fail_msg("'%s' was accepted", bad[i]);
		assert_int_equal(e.code, EINVAL);
		if (strstr(e.msg, "secret") != NULL || strstr(e.msg, "?password-file=") == NULL)
			fail_msg("'%s': %s", bad[i], e.msg);
	}
}

static void hosts_and_ports_are_checked(void **state)
{
	static const char *const bad[] = {
	    "http://",         "http://,a",      "http://a,",       "http://a,,b",   "http://:8500",
	    "http://a:",       "http://a:0",     "http://a:65536",  "http://a:+1",   "http://a:1x",
	    "http://a b",      "http://[::1",    "http://[]",       "http://[::1]x", "http://::1",
	    "http://::1:8500", "http://a:1:2",   "http://a_*",      "http://[a b]",  "http:///x",
	    "http://?x=1",     "http://[a,b]:1", "http://\xc3\xa9",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		refuse(bad[i], EINVAL, "store's URL");
	refuse("http:a", EINVAL, "begins with http://");
	refuse("http:/a", EINVAL, "begins with http://");
	refuse("http:", EINVAL, "begins with http://");
	refuse("http://a/x#y", EINVAL, "'#'");
	refuse("http://u@a,v@b", EINVAL, "one user");
	refuse("http://@a", EINVAL, "one user");
	refuse("", EINVAL, "empty");
}

static void parameters_and_escapes_are_checked(void **state)
{
	static const char *const bad[] = {
	    "file:x?",      "file:x?&",   "file:x?=1",  "file:x?a&",    "file:x?a=1&&b",
	    "file:x?a&a=1", "file:x%",    "file:x%4",   "file:x%zz",    "file:x%00",
	    "file:x?a=%",   "file:x?%00", "http://a/%", "file:x?a&%61",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		refuse(bad[i], EINVAL, "store's URL");
}

static void there_are_limits(void **state)
{
	static char text[URL_LEN_MAX + 2];
	struct url u;
	int n;

	(void)state;
	n = snprintf(text, sizeof(text), "http://a");
	for (int i = 1; i < URL_HOSTS_MAX; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ",b%d:%d", i, i);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "/?p0");
	for (int i = 1; i < URL_PARAMS_MAX; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "&p%d", i);
	parse(&u, text);
	assert_int_equal(u.hosts, URL_HOSTS_MAX);
	assert_int_equal(u.params, URL_PARAMS_MAX);
	url_done(&u);
	snprintf(text + n, sizeof(text) - (size_t)n, "&more");
	refuse(text, E2BIG, "at most 16 parameters");

	n = snprintf(text, sizeof(text), "http://a");
	for (int i = 0; i < URL_HOSTS_MAX; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ",b");
	refuse(text, E2BIG, "at most 16 hosts");

	memset(text, 'x', sizeof(text) - 1);
	refuse(text, E2BIG, "more than 8192 bytes");
	text[URL_LEN_MAX] = '\0';
	parse(&u, text);
	url_done(&u);

	memcpy(text, "http://", 7);
	text[7 + URL_HOST_LEN_MAX] = '\0';
	parse(&u, text);
	url_done(&u);
	text[7 + URL_HOST_LEN_MAX] = 'x';
	text[8 + URL_HOST_LEN_MAX] = '\0';
	refuse(text, EINVAL, "no host");
}

static void a_url_is_done_twice_without_harm(void **state)
{
	struct url zero = {0};
	struct url u;

	(void)state;
	url_done(&zero);
	parse(&u, "http://a:1/x?y=z");
	url_done(&u);
	url_done(&u);
	assert_int_equal(u.hosts, 0);
	assert_null(url_param(&u, "y"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_path_is_a_directory_and_stands_as_it_is),
	    cmocka_unit_test(a_file_url_has_escapes_and_parameters),
	    cmocka_unit_test(a_socket_has_a_path_that_fits_into_its_address),
	    cmocka_unit_test(a_url_names_its_hosts_in_order),
	    cmocka_unit_test(a_host_may_repeat_the_scheme_but_not_change_it),
	    cmocka_unit_test(every_kind_of_store_is_known_by_its_scheme),
	    cmocka_unit_test(a_password_is_refused_and_never_shown),
	    cmocka_unit_test(hosts_and_ports_are_checked),
	    cmocka_unit_test(parameters_and_escapes_are_checked),
	    cmocka_unit_test(there_are_limits),
	    cmocka_unit_test(a_url_is_done_twice_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
