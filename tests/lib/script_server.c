#include "script_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
	perror(what);
	abort();
}

/* The length of the first request in b, 0: it is not all there. */
static size_t request_length(const struct buf *b, bool early)
{
	const char *end = b->len > 0 ? memmem(b->data, b->len, "\r\n\r\n", 4) : NULL;
	const char *length;
	size_t need;

	if (end == NULL)
		return 0;
	need = (size_t)(end - b->data) + 4;
	length = memmem(b->data, need, "Content-Length: ", 16);
	if (length != NULL && !early)
		need += strtoul(length + 16, NULL, 10);
	return b->len >= need ? need : 0;
}

/* False: the client has closed. */
static bool read_request(struct script_server *s, int fd, struct buf *b, bool early)
{
	size_t len;

	while ((len = request_length(b, early)) == 0) {
		char *to = buf_reserve(b, 4096);
		ssize_t n = recv(fd, to, 4096, 0);

		if (n <= 0)
			return false;
		b->len += (size_t)n;
	}
	buf_add(&s->seen, b->data, len);
	buf_consume(b, len);
	return true;
}

static void send_all(int fd, const char *p)
{
	size_t left = strlen(p);

	while (left > 0) {
		ssize_t n = send(fd, p, left, MSG_NOSIGNAL);

		if (n < 0)
			return;
		p += n;
		left -= (size_t)n;
	}
}

static void serve(struct script_server *s, int fd, const struct script *script)
{
	struct buf b = {0};

	for (size_t i = 0; i < SCRIPT_LINES_MAX && script->lines[i] != NULL; i++) {
		if (!read_request(s, fd, &b, script->early))
			break;
		send_all(fd, script->lines[i]);
	}
	if (script->end == SCRIPT_READ)
		(void)read_request(s, fd, &b, false);
	/* What is unread stays so: the client has to hear us while it sends. */
	if (script->end == SCRIPT_LINGER)
		(void)poll(&(struct pollfd){.fd = fd, .events = POLLRDHUP}, 1, -1);
	buf_done(&b);
}

static void *run(void *arg)
{
	struct script_server *s = arg;

	for (size_t i = 0; i < s->count; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return NULL;
		s->accepted++;
		serve(s, fd, &s->scripts[i]);
		close(fd);
		sem_post(&s->closed);
	}
	return NULL;
}

static void listen_unix(struct script_server *s, const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("bind");
}

static void listen_port(struct script_server *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    getsockname(s->fd, (struct sockaddr *)&at, &len) < 0)
		die("bind");
	s->port = ntohs(at.sin_port);
}

void script_server_start(struct script_server *s, const char *path, const struct script *scripts,
                         size_t count)
{
	*s = (struct script_server){.scripts = scripts, .count = count};
	if (path != NULL)
		listen_unix(s, path);
	else
		listen_port(s);
	if (listen(s->fd, 8) < 0)
		die("listen");
	sem_init(&s->closed, 0, 0);
	if (pthread_create(&s->thread, NULL, run, s) != 0)
		die("thread");
}

void script_server_wait_closed(struct script_server *s)
{
	while (sem_wait(&s->closed) < 0 && errno == EINTR)
		;
}

void script_server_stop(struct script_server *s)
{
	(void)shutdown(s->fd, SHUT_RDWR); /* wakes accept() */
	pthread_join(s->thread, NULL);
	close(s->fd);
}

void script_server_done(struct script_server *s)
{
	sem_destroy(&s->closed);
	buf_done(&s->seen);
}
