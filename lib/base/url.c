#include "base/url.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* A NUL for each string that is cut out: user and path, hosts, names and values. */
#define STRINGS_MAX (2 + URL_HOSTS_MAX + 2 * URL_PARAMS_MAX)

#define KNOWN                                                                                 \
	"a directory, file:DIR, unix:SOCKET, http://HOST:PORT, https://, etcd://, redis://, " \
	"redis+quorum://, postgresql://, memcached://"

static const char *const scheme_names[] = {
    [URL_FILE] = "file",
    [URL_UNIX] = "unix",
    [URL_HTTP] = "http",
    [URL_HTTPS] = "https",
    [URL_ETCD] = "etcd",
    [URL_REDIS] = "redis",
    [URL_REDIS_QUORUM] = "redis+quorum",
    [URL_POSTGRESQL] = "postgresql",
    [URL_MEMCACHED] = "memcached",
};

#define SCHEMES (sizeof(scheme_names) / sizeof(scheme_names[0]))

struct parser {
	struct url *u;
	const char *p; /* what is not parsed yet */
	char *out;     /* the free part of u->storage */
	struct err *e;
};

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
	return is_alpha(c) || (c >= '0' && c <= '9');
}

const char *url_scheme_name(enum url_scheme scheme)
{
	return scheme_names[scheme];
}

/* The length of a scheme at the start of text (RFC 3986 section 3.1), 0: there is none. */
static size_t scheme_len(const char *text)
{
	size_t n = 0;

	if (!is_alpha(text[0]))
		return 0;
	while (is_alnum(text[n]) || text[n] == '+' || text[n] == '-' || text[n] == '.')
		n++;
	return text[n] == ':' ? n : 0;
}

static int fail_password(struct err *e)
{
	return err_set(e, EINVAL,
	               "a password in a store's URL can be seen by others: "
	               "put it into a file and use ?password-file=FILE");
}

/* Something is wrong at p.  When an '@' follows it may be part of a password: do not show it. */
static int fail_at(const struct parser *s, const char *p, size_t len, const char *what)
{
	if (strchr(p, '@') != NULL)
		return err_set(s->e, EINVAL,
		               "%s what is not shown here, since it may be a password "
		               "(put that into a file and use ?password-file=FILE)",
		               what);
	return err_set(s->e, EINVAL, "%s '%.*s' in a store's URL", what, len < 80 ? (int)len : 80,
	               p);
}

/* Take over p[0..len) as it is. */
static const char *keep(struct parser *s, const char *p, size_t len)
{
	const char *to = s->out;

	memcpy(s->out, p, len);
	s->out[len] = '\0';
	s->out += len + 1;
	return to;
}

/* Two hex digits, -1 when they are not, and for a NUL, which no store can mean. */
static int get_escaped(const char *p, size_t len)
{
	char digits[2];
	uint64_t v;

	if (len < 2)
		return -1;
	for (int i = 0; i < 2; i++)
		digits[i] = (char)(p[i] >= 'A' && p[i] <= 'F' ? p[i] | 0x20 : p[i]);
	return text_get_hex(digits, 2, &v) < 0 || v == 0 ? -1 : (int)v;
}

/* Take over p[0..len) with its %xx resolved: NULL when one is bad. */
static const char *keep_decoded(struct parser *s, const char *p, size_t len)
{
	const char *to = s->out;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)p[i];

		if (c == '%') {
			c = get_escaped(p + i + 1, len - i - 1);
			if (c < 0) {
				fail_at(s, p + i, len - i < 3 ? len - i : 3, "a bad escape in");
				return NULL;
			}
			i += 2;
		}
		*s->out++ = (char)c;
	}
	*s->out++ = '\0';
	return to;
}

static int parse_param(struct parser *s, const char *p, size_t len)
{
	struct url *u = s->u;
	const char *equals = memchr(p, '=', len);
	size_t name_len = equals != NULL ? (size_t)(equals - p) : len;
	struct url_param param;

	if (name_len == 0)
		return fail_at(s, p, len, "no name for the parameter");
	if (u->params == URL_PARAMS_MAX)
		return err_set(s->e, E2BIG, "a store's URL has at most %d parameters",
		               URL_PARAMS_MAX);
	param.name = keep_decoded(s, p, name_len);
	if (param.name == NULL)
		return -1;
	if (strcasecmp(param.name, "password") == 0)
		return fail_password(s->e);
	if (url_param(u, param.name) != NULL)
		return fail_at(s, p, name_len, "there is already the parameter");
	param.value = "";
	if (equals != NULL)
		param.value = keep_decoded(s, equals + 1, len - name_len - 1);
	if (param.value == NULL)
		return -1;
	u->param[u->params++] = param;
	return 0;
}

/* "?a=1&b=2" or nothing. */
static int parse_query(struct parser *s)
{
	if (*s->p == '\0')
		return 0;
	do {
		size_t len = strcspn(++s->p, "&");

		if (parse_param(s, s->p, len) < 0)
			return -1;
		s->p += len;
	} while (*s->p == '&');
	return 0;
}

static int parse_path(struct parser *s)
{
	size_t len = strcspn(s->p, "?");

	s->u->path = keep_decoded(s, s->p, len);
	s->p += len;
	return s->u->path == NULL ? -1 : 0;
}

static bool is_host_name(const char *p, size_t len, const char *marks)
{
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(p[i]) && (p[i] == '\0' || strchr(marks, p[i]) == NULL))
			return false;
	return len > 0 && len <= URL_HOST_LEN_MAX;
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT. */
static int parse_host(struct parser *s, const char *p, size_t len)
{
	struct url_host *host = &s->u->host[s->u->hosts];
	bool brackets = len > 0 && p[0] == '[';
	const char *name = p + brackets;
	size_t name_len = strcspn(name, brackets ? "]" : ":,/?");
	const char *rest = name + name_len + brackets;
	uint64_t port = 0;

	if (s->u->hosts == URL_HOSTS_MAX)
		return err_set(s->e, E2BIG, "a store's URL has at most %d hosts", URL_HOSTS_MAX);
	if (rest > p + len || !is_host_name(name, name_len, brackets ? ":.%" : "-._"))
		return fail_at(s, p, len, "no host can be read from");
	if (rest < p + len) {
		const char *digits = rest + 1;
		size_t digits_len = (size_t)(p + len - digits);
		struct err why;

		if (*rest != ':' || num_u64_len(digits, digits_len, 1, 65535, &port, &why) < 0)
			return fail_at(s, p, len, "bad port (an IPv6 address needs brackets) in");
	}
	host->name = keep(s, name, name_len);
	host->port = (uint16_t)port;
	s->u->hosts++;
	return 0;
}

/* The length of "scheme://" at p when it is the URL's own; any other is an error: -1. */
static ssize_t repeated_scheme(struct parser *s, const char *p, size_t len)
{
	const char *own = scheme_names[s->u->scheme];
	size_t n = scheme_len(p);

	if (n >= len || strncmp(p + n, "://", 3) != 0)
		return 0;
	if (n != strlen(own) || strncasecmp(p, own, n) != 0)
		return fail_at(s, p, n, "there is a second scheme,");
	return (ssize_t)n + 3;
}

/* USER@ before the first host; returns its length with the '@', 0 without one, or -1. */
static ssize_t parse_user(struct parser *s, const char *p, size_t len)
{
	const char *at = memrchr(p, '@', len);
	size_t n = at != NULL ? (size_t)(at - p) : 0;

	if (at == NULL)
		return 0;
	if (memchr(p, ':', n) != NULL)
		return fail_password(s->e);
	if (s->u->hosts > 0 || n == 0)
		return err_set(s->e, EINVAL, "a store's URL has one user, before its first host");
	s->u->user = keep_decoded(s, p, n);
	return s->u->user == NULL ? -1 : (ssize_t)n + 1;
}

/* //[USER@]HOST[,HOST]... and what follows */
static int parse_hosts(struct parser *s)
{
	if (strncmp(s->p, "//", 2) != 0)
		return err_set(s->e, EINVAL, "a store's URL with hosts begins with %s://",
		               scheme_names[s->u->scheme]);
	s->p++;
	do {
		const char *p = ++s->p;
		ssize_t skip = repeated_scheme(s, p, strcspn(p, ",/?"));
		size_t len;

		if (skip < 0)
			return -1;
		p += skip;
		len = strcspn(p, ",/?");
		skip = parse_user(s, p, len);
		if (skip < 0 || parse_host(s, p + skip, len - (size_t)skip) < 0)
			return -1;
		s->p = p + len;
	} while (*s->p == ',');
	if (strchr(s->p, '#') != NULL)
		return err_set(s->e, EINVAL, "a store's URL has no part behind '#'");
	return 0;
}

/* file:DIR and file:///DIR, unix:PATH and unix:///PATH */
static int parse_local(struct parser *s)
{
	struct url *u = s->u;
	const char *name = scheme_names[u->scheme];

	if (strncmp(s->p, "//", 2) == 0) {
		s->p += 2;
		if (u->scheme == URL_FILE && strncasecmp(s->p, "localhost/", 10) == 0)
			s->p += 9;
		if (*s->p != '/')
			return err_set(s->e, EINVAL,
			               "write %s:PATH or %s:///PATH: no host fits here", name,
			               name);
	}
	if (parse_path(s) < 0)
		return -1;
	if (u->path[0] == '\0')
		return err_set(s->e, EINVAL, "%s: without a path", name);
	if (u->scheme == URL_UNIX && strlen(u->path) > URL_UNIX_LEN_MAX)
		return err_set(s->e, E2BIG, "the path of a socket has at most %d bytes",
		               URL_UNIX_LEN_MAX);
	return 0;
}

static int find_scheme(struct parser *s, size_t len)
{
	for (size_t i = 0; i < SCHEMES; i++)
		if (strlen(scheme_names[i]) == len &&
		    strncasecmp(scheme_names[i], s->p, len) == 0) {
			s->u->scheme = (enum url_scheme)i;
			return 0;
		}
	return err_set(s->e, EINVAL,
	               "'%.*s:' is no kind of store; known are " KNOWN
	               " (./NAME for a directory with a colon in its name)",
	               len < 80 ? (int)len : 80, s->p);
}

static int parse(struct parser *s)
{
	size_t len = scheme_len(s->p);

	if (len == 0) {
		s->u->scheme = URL_FILE;
		s->u->path = keep(s, s->p, strlen(s->p));
		return 0;
	}
	if (find_scheme(s, len) < 0)
		return -1;
	s->p += len + 1;
	if (s->u->scheme == URL_FILE || s->u->scheme == URL_UNIX) {
		if (parse_local(s) < 0)
			return -1;
	} else if (parse_hosts(s) < 0 || parse_path(s) < 0) {
		return -1;
	}
	return parse_query(s);
}

int url_parse(struct url *u, const char *text, struct err *e)
{
	struct parser s = {.u = u, .p = text, .e = e};
	size_t len = strlen(text);

	*u = (struct url){.path = ""};
	if (len == 0)
		return err_set(e, EINVAL, "the name of the store is empty; known are " KNOWN);
	if (len > URL_LEN_MAX)
		return err_set(e, E2BIG, "the name of the store has more than %d bytes",
		               URL_LEN_MAX);
	u->storage = malloc(len + STRINGS_MAX);
	if (u->storage == NULL)
		return err_set(e, ENOMEM, "out of memory");
	s.out = u->storage;
	if (parse(&s) < 0) {
		url_done(u);
		return -1;
	}
	return 0;
}

void url_done(struct url *u)
{
	free(u->storage);
	*u = (struct url){.path = ""};
}

const char *url_param(const struct url *u, const char *name)
{
	for (size_t i = 0; i < u->params; i++)
		if (strcmp(u->param[i].name, name) == 0)
			return u->param[i].value;
	return NULL;
}
