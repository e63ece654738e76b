/*
 * httpc_dial: a connection to one host of a URL; used by httpc.c.
 */
#ifndef SHOAL_NET_HTTPC_DIAL_H
#define SHOAL_NET_HTTPC_DIAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/url.h"

#define HTTPC_HOST_MAX (URL_HOST_LEN_MAX + 9) /* "[", "]:65535" and a NUL */

/* The name of a host as "name:port", "[::1]:port" or the path of a socket. */
void httpc_host_name(char to[HTTPC_HOST_MAX], const struct url *url, size_t host, uint16_t port);

/*
 * Connect to host number `host` (port: where it names none); all its addresses are tried.  A
 * stream socket, non-blocking and close-on-exec, or -1 with ETIMEDOUT, ECONNREFUSED, ENOENT
 * (a socket that is not there), EHOSTUNREACH (also: the name is unknown) and the like.
 */
int httpc_dial(const struct url *url, size_t host, uint16_t port, int64_t deadline_ns,
               struct err *e);

#endif
