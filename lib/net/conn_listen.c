#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "net/conn_impl.h"

#define BACKLOG     1024
#define KEEPALIVE_S 60

/* ---- Connections begin. */

static void name_peer(struct http_call *c)
{
	struct sockaddr_storage a;
	int len = sizeof(a);
	char host[48];

	c->local = true;
	snprintf(c->peer, sizeof(c->peer), "unix");
	if (c->uv.handle.type != UV_TCP)
		return;
	c->local = false;
	snprintf(c->peer, sizeof(c->peer), "unknown");
	if (uv_tcp_getpeername(&c->uv.tcp, (struct sockaddr *)&a, &len) < 0)
		return;
	if (a.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&a;

		uv_ip4_name(in, host, sizeof(host));
		snprintf(c->peer, sizeof(c->peer), "%s:%u", host, ntohs(in->sin_port));
		c->local = ntohl(in->sin_addr.s_addr) >> 24 == 127;
	} else {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a;
		const struct in6_addr *addr = &in6->sin6_addr;

		uv_ip6_name(in6, host, sizeof(host));
		snprintf(c->peer, sizeof(c->peer), "[%s]:%u", host, ntohs(in6->sin6_port));
		c->local = IN6_IS_ADDR_LOOPBACK(addr) ||
		           (IN6_IS_ADDR_V4MAPPED(addr) && addr->s6_addr[12] == 127);
	}
}

static struct http_call *conn_new(struct http_server *s, bool is_unix)
{
	struct http_call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	/* Neither can fail: the socket comes with accept. */
	if (is_unix)
		uv_pipe_init(s->cfg.loop, &c->uv.pipe, 0);
	else
		uv_tcp_init(s->cfg.loop, &c->uv.tcp);
	conn_begin(c, s);
	return c;
}

static void welcome(struct http_call *c)
{
	struct http_server *s = c->server;

	s->stat.accepted++;
	name_peer(c);
	if (c->uv.handle.type == UV_TCP) {
		uv_tcp_nodelay(&c->uv.tcp, 1);
		/* A peer whose machine is gone says nothing. */
		uv_tcp_keepalive(&c->uv.tcp, 1, KEEPALIVE_S);
	}
	conn_wait(c, CONN_IDLE);
	if (conn_read_start(c) < 0)
		conn_close(c);
}

static void turn_away(struct http_call *c)
{
	struct http_server *s = c->server;

	s->stat.refused++;
	s->stat.connections--;
	s->refused++;
	c->refused = true;
	conn_wait(c, CONN_LINGER);
	if (s->refused > CONN_REFUSED_MAX || conn_read_start(c) < 0)
		conn_close(c);
	else
		conn_refuse(c, 503, "too many connections");
}

static void on_connection(uv_stream_t *h, int status)
{
	struct conn_listener *l = h->data;
	struct http_server *s = l->server;
	struct http_call *c;

	/* Without a descriptor to spare, libuv closes the connection. */
	if (status < 0) {
		s->stat.refused++;
		return;
	}
	c = conn_new(s, l->is_unix);
	if (c == NULL)
		return;
	if (uv_accept(h, &c->uv.stream) < 0)
		conn_close(c);
	else if (s->stat.connections > s->cfg.connections_max)
		turn_away(c);
	else
		welcome(c);
}

/* ---- Listening. */

static void on_closed(uv_handle_t *h)
{
	struct conn_listener *l = h->data;
	struct http_server *s = l->server;

	free(l);
	conn_handle_closed(s);
}

void conn_listener_close(struct conn_listener *l)
{
	uv_close(&l->uv.handle, on_closed);
}

static int uv_failed(struct err *e, int code, const char *address)
{
	return err_set(e, -code, "listen on '%s': %s", address, uv_strerror(code));
}

/* Is somebody there?  If not, the socket is removed. */
static int remove_stale(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct stat st;
	int fd;
	int r;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	memcpy(a.sun_path, path, strlen(path));
	r = connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? errno : 0;
	close(fd);
	if (r != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(path) < 0 ? -errno : 0;
}

static int bind_unix(struct conn_listener *l, const char *path)
{
	struct stat st;
	int r = uv_pipe_init(l->server->cfg.loop, &l->uv.pipe, 0);

	if (r == 0 && lstat(path, &st) == 0)
		r = remove_stale(path);
	if (r == 0)
		r = uv_pipe_bind(&l->uv.pipe, path);
	/* Nobody can connect before it listens. */
	if (r == 0 && chmod(path, 0600) < 0)
		r = -errno;
	return r;
}

/* "127.0.0.1:8500", "[::1]:8500" */
static int parse_address(const char *text, struct sockaddr_storage *ret, struct err *e)
{
	const char *colon = strrchr(text, ':');
	bool brackets = text[0] == '[';
	char host[64];
	uint64_t port;
	size_t len;
	int r;

	if (colon == NULL || num_u64(colon + 1, 0, UINT16_MAX, &port, e) < 0)
		return err_set(e, EINVAL, "listen on '%s': not ADDRESS:PORT", text);
	len = (size_t)(colon - text);
	if (brackets && (len < 2 || text[len - 1] != ']'))
		return err_set(e, EINVAL, "listen on '%s': no ']' before the port", text);
	if (brackets) {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return err_set(e, EINVAL, "listen on '%.80s': not an IP address", text);
	memcpy(host, text, len);
	host[len] = '\0';
	r = brackets ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)ret)
	             : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)ret);
	if (r < 0)
		return err_set(e, EINVAL, "listen on '%s': not an IP address", text);
	return 0;
}

static int bind_tcp(struct conn_listener *l, const struct sockaddr_storage *a)
{
	int r = uv_tcp_init(l->server->cfg.loop, &l->uv.tcp);

	return r < 0 ? r : uv_tcp_bind(&l->uv.tcp, (const struct sockaddr *)a, 0);
}

static uint16_t port_of(const struct conn_listener *l)
{
	struct sockaddr_storage a = {0};
	int len = sizeof(a);

	if (l->is_unix || uv_tcp_getsockname(&l->uv.tcp, (struct sockaddr *)&a, &len) < 0)
		return 0;
	/* sin6_port is at the same place. */
	return ntohs(((struct sockaddr_in *)&a)->sin_port);
}

int http_server_listen(struct http_server *s, const char *address, uint16_t *ret_port,
                       struct err *e)
{
	bool is_unix = strncmp(address, "unix:", 5) == 0;
	struct sockaddr_storage a;
	struct conn_listener *l;
	int r;

	if (is_unix && (address[5] == '\0' || strlen(address + 5) > 107))
		return err_set(e, EINVAL, "listen on '%s': a path has 1 to 107 bytes", address);
	if (!is_unix && parse_address(address, &a, e) < 0)
		return -1;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return err_set(e, ENOMEM, "out of memory");
	l->server = s;
	l->is_unix = is_unix;
	s->handles++;
	r = is_unix ? bind_unix(l, address + 5) : bind_tcp(l, &a);
	l->uv.handle.data = l;
	if (r == 0)
		r = uv_listen(&l->uv.stream, BACKLOG, on_connection);
	if (r < 0) {
		conn_listener_close(l);
		return uv_failed(e, r, address);
	}
	l->next = s->listeners;
	s->listeners = l;
	*ret_port = port_of(l);
	return 0;
}
