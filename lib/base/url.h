/*
 * url: where a store is, as users write it.
 *
 *	/var/lib/x  ./x  x            a directory; taken as it stands, no escapes, no parameters
 *	file:DIR  file:///DIR         the same as a URL
 *	http://a:8500,b:8500,c:8500   several hosts of one store
 *	unix:/run/raftd.sock          a socket
 *	https:// etcd:// redis:// redis+quorum:// postgresql:// memcached://
 *
 * A URL has hosts, a path and parameters: SCHEME://[USER@]HOST[:PORT][,HOST[:PORT]]...[/PATH]
 * [?NAME=VALUE[&NAME=VALUE]...].  A host may repeat the scheme (http://a:1,http://b:2), but a URL
 * has one scheme and one user.  IPv6 addresses stand in brackets.  Path, user and parameters may
 * hold %xx escapes, which are resolved.  Scheme names are compared without case.
 *
 * A password in a URL shows in ps(1) and in histories, so it is refused: the parameter
 * password-file names a file that holds it.  No message repeats a password.
 *
 * Pure.  A struct url owns its copies; url_done() frees them.
 */
#ifndef SHOAL_BASE_URL_H
#define SHOAL_BASE_URL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define URL_HOSTS_MAX    16
#define URL_PARAMS_MAX   16
#define URL_LEN_MAX      8192
#define URL_HOST_LEN_MAX 255
#define URL_UNIX_LEN_MAX 107 /* sockaddr_un.sun_path less its NUL */

enum url_scheme {
	URL_FILE,
	URL_UNIX,
	URL_HTTP,
	URL_HTTPS,
	URL_ETCD,
	URL_REDIS,
	URL_REDIS_QUORUM,
	URL_POSTGRESQL,
	URL_MEMCACHED,
};

struct url_host {
	const char *name; /* IPv6 without its brackets */
	uint16_t port;    /* 0: none given */
};

struct url_param {
	const char *name;
	const char *value; /* "" when there is none */
};

struct url {
	enum url_scheme scheme;
	const char *user; /* NULL: none */
	struct url_host host[URL_HOSTS_MAX];
	size_t hosts;     /* 0 for file and unix, else at least 1 */
	const char *path; /* file: the directory, unix: the socket, else "" or begins with '/' */
	struct url_param param[URL_PARAMS_MAX];
	size_t params;
	char *storage; /* what all pointers above point into */
};

/*
 * Fails with EINVAL (not a store, unknown scheme, a password), E2BIG (too many hosts or
 * parameters, too long) or ENOMEM; *u then needs no url_done(), which is harmless.
 */
int url_parse(struct url *u, const char *text, struct err *e);
void url_done(struct url *u); /* a zeroed *u is fine */

/* The value of a parameter, borrowed from u; NULL when it is not given. */
const char *url_param(const struct url *u, const char *name);

/* "redis+quorum" */
const char *url_scheme_name(enum url_scheme scheme);

#endif
