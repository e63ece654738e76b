#include "net/httpc_dial.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/wait.h"

#define FULL_QUEUE_PAUSE_MS                                                  \
	5 /* a unix socket tells of no room in its queue, but not of its end \
	   */

void httpc_host_name(char to[HTTPC_HOST_MAX], const struct url *url, size_t host, uint16_t port)
{
	const struct url_host *h = &url->host[host];

	if (url->scheme == URL_UNIX)
		snprintf(to, HTTPC_HOST_MAX, "%s", url->path);
	else
		snprintf(to, HTTPC_HOST_MAX, strchr(h->name, ':') != NULL ? "[%s]:%u" : "%s:%u",
		         h->name, h->port != 0 ? h->port : port);
}

/* 0 when the connection that is under way has come about. */
static int finish(int fd, int64_t deadline_ns, struct err *e)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int n = wait_ready(&p, 1, deadline_ns, e);
	socklen_t len = sizeof(int);
	int why = 0;

	if (n < 0)
		return -1;
	if (n == 0)
		return err_set(e, ETIMEDOUT, "connect: no answer in time");
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0)
		return err_sys(e, "connect");
	errno = why;
	return why == 0 ? 0 : err_sys(e, "connect");
}

static int await(int fd, const struct sockaddr *to, socklen_t len, int64_t deadline_ns,
                 struct err *e)
{
	while (connect(fd, to, len) < 0) {
		if (errno == EINPROGRESS || errno == EINTR)
			return finish(fd, deadline_ns, e);
		if (errno != EAGAIN)
			return err_sys(e, "connect");
		if (clock_mono_ns() >= deadline_ns)
			return err_set(e, ETIMEDOUT, "connect: its queue is full");
		if (wait_ready(NULL, 0, wait_deadline_ms(FULL_QUEUE_PAUSE_MS), e) < 0)
			return -1;
	}
	return 0;
}

static int dial(const struct sockaddr *to, socklen_t len, int64_t deadline_ns, struct err *e)
{
	int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(e, "socket");
	if (await(fd, to, len, deadline_ns, e) < 0) {
		close(fd);
		return -1;
	}
	if (to->sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	return fd;
}

static int dial_unix(const char *path, int64_t deadline_ns, struct err *e)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	assert(len < sizeof(to.sun_path));
	memcpy(to.sun_path, path, len + 1);
	return dial((struct sockaddr *)&to, sizeof(to), deadline_ns, e);
}

/* Without getaddrinfo(3), which opens files and a socket before it looks at the text. */
static int dial_address(const char *name, uint16_t port, int64_t deadline_ns, struct err *e)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (inet_pton(AF_INET, name, &in4.sin_addr) == 1)
		return dial((struct sockaddr *)&in4, sizeof(in4), deadline_ns, e);
	if (inet_pton(AF_INET6, name, &in6.sin6_addr) == 1)
		return dial((struct sockaddr *)&in6, sizeof(in6), deadline_ns, e);
	return err_set(e, EINVAL, "no address");
}

static int dial_name(const char *name, uint16_t port, int64_t deadline_ns, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *all = NULL;
	char service[8];
	int why;
	int fd = -1;

	snprintf(service, sizeof(service), "%u", port);
	why = getaddrinfo(name, service, &hints, &all);
	if (why != 0)
		return err_set(e, EHOSTUNREACH, "%s", gai_strerror(why));
	for (struct addrinfo *a = all; a != NULL && fd < 0; a = a->ai_next)
		fd = dial(a->ai_addr, a->ai_addrlen, deadline_ns, e);
	freeaddrinfo(all);
	return fd;
}

int httpc_dial(const struct url *url, size_t host, uint16_t port, int64_t deadline_ns,
               struct err *e)
{
	const struct url_host *h = &url->host[host];
	int fd;

	if (url->scheme == URL_UNIX)
		return dial_unix(url->path, deadline_ns, e);
	if (h->port != 0)
		port = h->port;
	fd = dial_address(h->name, port, deadline_ns, e);
	return fd < 0 && e->code == EINVAL ? dial_name(h->name, port, deadline_ns, e) : fd;
}
