/* raftd: a replicated key-value store.  Here are the options, the signals, and the way down. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "base/id.h"
#include "daemon/daemon.h"
#include "datadir.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/sig.h"
#include "tool/opt.h"
#include "wal/wal.h"

#define STATUS_DAMAGED 8 /* raftd's own: what was durable is not as it was written */

#define LISTEN_DEFAULT   "127.0.0.1:8500"
#define LISTEN_MAX       8
#define DRAIN_MS         5000
/* A node that is alone and temporary needs no time for others to answer. */
#define DEV_HEARTBEAT_NS UINT64_C(20000000)
#define DEV_ELECTION_NS  UINT64_C(100000000)

enum {
	OPT_DATA = OPT_LONG,
	OPT_LISTEN,
	OPT_PORT_FILE,
	OPT_ADVERTISE,
	OPT_NAME,
	OPT_DEV,
	OPT_CHECK,
	OPT_TTL_MIN,
};

static const struct opt options[] = {
    {OPT_DATA, "data", "DIR", "dir", "where the node keeps its data"},
    {OPT_LISTEN, "listen", "ADDRESS", NULL,
     "HOST:PORT or unix:PATH to serve on; may be repeated; default: " LISTEN_DEFAULT},
    {OPT_PORT_FILE, "port-file", "FILE", "file", "write the port there once clients are served"},
    {OPT_ADVERTISE, "advertise", "HOST:PORT", NULL, "the address to tell to clients"},
    {OPT_NAME, "name", "NAME", NULL, "the node's name for people; default: the host's"},
    {OPT_DEV, "dev", NULL, NULL, "one node in a temporary directory, gone at the end"},
    {OPT_CHECK, "check", NULL, NULL, "look at the options, say what is wrong, and end"},
    {OPT_TTL_MIN, "session-ttl-min", "DURATION", NULL, "the shortest TTL of a session"},
    {0},
};

struct settings {
	const char *data, *port_file, *advertise, *name;
	const char *listen[LISTEN_MAX];
	int listen_count;
	bool dev, check;
	uint64_t ttl_min_ns;
};

struct raftd {
	struct settings set;
	struct log log;
	struct datadir dir;
	uv_loop_t loop;
	struct api api;
	char advertise[300];
	uv_signal_t signals[3];
	uv_timer_t drain;
	int status;           /* of the process */
	bool ending;          /* draining */
	bool closed;          /* on the way down */
	bool was_ready;       /* clients are served */
	uint64_t drain_until; /* of the loop's clock */
	uint64_t leader;
	uint16_t port; /* of the first address; 0: a unix socket */
};

static const int handled[] = {SIGTERM, SIGINT, SIGHUP};

/* ---- The way down. */

static void close_all(struct raftd *d)
{
	if (d->closed)
		return;
	d->closed = true;
	http_server_close(d->api.server, NULL);
	node_close(d->api.node);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		uv_close((uv_handle_t *)&d->signals[i], NULL);
	uv_close((uv_handle_t *)&d->drain, NULL);
}

/* A failure is told in a step of the node, which cannot be closed from there. */
static void on_drain(uv_timer_t *timer)
{
	struct raftd *d = timer->data;
	struct node_stat s;

	node_get_stat(d->api.node, &s);
	if (d->status == 0 && s.waiting_proposals > 0 && uv_now(&d->loop) < d->drain_until)
		return;
	close_all(d);
}

static void end(struct raftd *d, int status)
{
	if (d->ending && status == 0)
		return;
	d->ending = true;
	if (status != 0)
		d->status = status;
	d->api.draining = true;
	d->drain_until = uv_now(&d->loop) + DRAIN_MS;
	http_server_drain(d->api.server);
	uv_timer_start(&d->drain, on_drain, 0, 10);
}

static int status_of(const struct err *e)
{
	switch (e->code) {
	case WAL_DAMAGED:
		return STATUS_DAMAGED;
	case WAL_BUSY:
	case DATADIR_BUSY:
		return TOOL_TEMPFAIL;
	case WAL_FOREIGN:
	case WAL_NEWER:
	case DATADIR_NEWER:
		return TOOL_CONFIG;
	default:
		return tool_status_of(e);
	}
}

static void on_failed(void *ctx, const struct err *e)
{
	struct raftd *d = ctx;
	const struct log_field field = {.name = "error", .text = e->msg};

	log_event(&d->log, LOG_ERROR, "the node cannot go on", &field, 1);
	end(d, status_of(e));
}

static void on_signal(uv_signal_t *s, int number)
{
	struct raftd *d = s->data;
	const struct log_field field = {.name = "signal", .text = sig_name(number)};

	if (number == SIGHUP)
		return;
	log_event(&d->log, LOG_INFO, "stopping", &field, 1);
	daemon_notify(tool_env("NOTIFY_SOCKET"), "STOPPING=1");
	end(d, 0);
}

/* ---- The way up. */

/* Clients are served from here on. */
static void be_ready(struct raftd *d)
{
	struct err e;

	d->was_ready = true;
	if (d->set.port_file != NULL && daemon_write_port(d->set.port_file, d->port, &e) < 0)
		tool_die(TOOL_CANTCREAT, &e);
	daemon_notify(tool_env("NOTIFY_SOCKET"), "READY=1");
	log_event(&d->log, LOG_INFO, "serving",
	          (const struct log_field[]){{.name = "address", .text = d->advertise},
	                                     {.name = "node", .text = d->api.id},
	                                     {.name = "data", .text = d->dir.path.data}},
	          3);
}

static void on_changed(void *ctx)
{
	struct raftd *d = ctx;
	struct raft_view v;

	if (d->api.node == NULL)
		return;
	raft_look(node_raft(d->api.node), &v);
	if (v.leader != 0 && v.leader == d->dir.node && !d->was_ready)
		be_ready(d);
	if (v.leader == d->leader)
		return;
	d->leader = v.leader;
	log_event(&d->log, LOG_INFO, v.leader == d->dir.node ? "leading" : "leader changed",
	          (const struct log_field[]){{.name = "term", .number = (int64_t)v.term}}, 1);
}

static int listen_status(const struct err *e)
{
	switch (e->code) {
	case EADDRINUSE:
		return TOOL_TEMPFAIL;
	case EINVAL:
		return TOOL_USAGE;
	default:
		return status_of(e);
	}
}

static void listen_on_all(struct raftd *d)
{
	struct err e;

	for (int i = 0; i < d->set.listen_count; i++) {
		const char *address = d->set.listen[i];
		uint16_t port;

		if (http_server_listen(d->api.server, address, &port, &e) < 0)
			tool_die(listen_status(&e), &e);
		if (i > 0)
			continue;
		d->port = port;
		if (port == 0)
			snprintf(d->advertise, sizeof(d->advertise), "%s", address);
		else
			snprintf(d->advertise, sizeof(d->advertise), "%.*s:%" PRIu16,
			         (int)(strrchr(address, ':') - address), address, port);
	}
	if (d->set.advertise != NULL)
		snprintf(d->advertise, sizeof(d->advertise), "%s", d->set.advertise);
}

static void start_server(struct raftd *d)
{
	const struct http_server_config config = {
	    .loop = &d->loop, .request = api_request, .gone = api_gone, .ctx = &d->api};
	struct err e;

	d->api.server = http_server_new(&config, &e);
	if (d->api.server == NULL)
		tool_die(TOOL_OSERR, &e);
	listen_on_all(d);
}

static void say_notes(const struct raftd *d, const struct buf *note)
{
	for (size_t at = 0; at < note->len;) {
		const char *line = note->data + at;
		const char *nl = memchr(line, '\n', note->len - at);
		size_t n = nl == NULL ? note->len - at : (size_t)(nl - line);
		char text[512];

		snprintf(text, sizeof(text), "%.*s", (int)n, line);
		log_event(&d->log, LOG_WARN, "recovery",
		          (const struct log_field[]){{.name = "what", .text = text}}, 1);
		at += n + 1;
	}
}

static void start_node(struct raftd *d)
{
	const struct node_config config = {
	    .loop = &d->loop,
	    .dir = d->dir.fd,
	    .cluster = d->dir.cluster,
	    .id = d->dir.node,
	    .boot = true, /* looked at only by a node whose log is empty */
	    .heartbeat_ns = d->set.dev ? DEV_HEARTBEAT_NS : 0,
	    .election_ns = d->set.dev ? DEV_ELECTION_NS : 0,
	    .failed = on_failed,
	    .changed = on_changed,
	    .ctx = d,
	};
	struct buf note = {0};
	struct err e;

	d->api.node = node_open(&config, &note, &e);
	say_notes(d, &note);
	buf_done(&note);
	if (d->api.node == NULL) {
		datadir_close(&d->dir);
		tool_die(status_of(&e), &e);
	}
}

static void start_signals(struct raftd *d)
{
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
		(void)uv_signal_init(&d->loop, &d->signals[i]);
		d->signals[i].data = d;
		uv_signal_start(&d->signals[i], on_signal, handled[i]);
	}
	(void)uv_timer_init(&d->loop, &d->drain);
	d->drain.data = d;
}

/* ---- Options. */

static void take_settings(struct settings *s, struct opts *o)
{
	*s = (struct settings){.ttl_min_ns = UINT64_C(10000000000)};
	for (int c; (c = opts_next(o)) != -1;) {
		switch (c) {
		case OPT_DATA:
			s->data = o->arg;
			break;
		case OPT_LISTEN:
			if (s->listen_count == LISTEN_MAX)
				opts_bad(o, "at most %d addresses", LISTEN_MAX);
			if (!daemon_is_local(o->arg))
				tool_dief(TOOL_CONFIG,
				          "--listen %s: without a cluster key only loopback "
				          "addresses and unix sockets are served",
				          o->arg);
			s->listen[s->listen_count++] = o->arg;
			break;
		case OPT_PORT_FILE:
			s->port_file = o->arg;
			break;
		case OPT_ADVERTISE:
			s->advertise = o->arg;
			break;
		case OPT_NAME:
			s->name = o->arg;
			break;
		case OPT_DEV:
			s->dev = true;
			break;
		case OPT_CHECK:
			s->check = true;
			break;
		case OPT_TTL_MIN:
			s->ttl_min_ns = (uint64_t)opts_duration_ns(o);
			break;
		default:
			break;
		}
	}
	opts_need(o, 0, 0, NULL);
	if (s->listen_count == 0)
		s->listen[s->listen_count++] = LISTEN_DEFAULT;
	if (s->dev && s->data != NULL)
		tool_usage("--dev keeps nothing, and --data names where to keep it: one of them");
}

static const char *host_name(char to[256])
{
	if (gethostname(to, 256) < 0)
		return "raftd";
	to[255] = '\0';
	return to;
}

static void start_log(struct log *l)
{
	const char *level = tool_env("SHOAL_LOG");
	const char *format = tool_env("SHOAL_LOG_FORMAT");
	struct err e;

	*l = (struct log){.fd = STDERR_FILENO,
	                  .level = LOG_INFO,
	                  .format = tool_is_terminal(STDERR_FILENO) ? LOG_HUMAN : LOG_LOGFMT};
	if ((level != NULL && log_level_of(level, &l->level, &e) < 0) ||
	    (format != NULL && log_format_of(format, &l->format, &e) < 0))
		tool_die(TOOL_CONFIG, &e);
}

static int run(struct opts *o)
{
	static struct raftd d;
	struct buf data = {0};
	char host[256];
	struct err e;

	take_settings(&d.set, o);
	start_log(&d.log);
	if (d.set.check)
		return TOOL_OK;
	if (!d.set.dev && d.set.data == NULL) {
		if (tool_state_dir("raftd", &data, &e) < 0)
			tool_die(TOOL_CONFIG, &e);
		d.set.data = data.data;
	}
	if (datadir_open(&d.dir, d.set.data, &e) < 0)
		tool_die(status_of(&e), &e);
	d.api.name = d.set.name != NULL ? d.set.name : host_name(host);
	d.api.advertise = d.advertise;
	d.api.session_ttl_min_ns = d.set.ttl_min_ns;
	d.api.started_ns = clock_wall_ns();
	id_put_uuid(d.api.id, d.dir.uuid);
	snprintf(d.api.cluster, sizeof(d.api.cluster), "%016" PRIx64, d.dir.cluster);
	if (uv_loop_init(&d.loop) != 0)
		tool_dief(TOOL_OSERR, "cannot make an event loop");
	start_server(&d);
	start_signals(&d);
	start_node(&d);
	on_changed(&d);
	uv_run(&d.loop, UV_RUN_DEFAULT);
	uv_loop_close(&d.loop);
	datadir_close(&d.dir);
	buf_done(&data);
	return d.status;
}

static const struct tool_spec spec = {
    .name = "raftd",
    .summary = "A replicated key-value store with locks and sessions.",
    .synopsis = "[--data DIR] [--listen ADDRESS]... [OPTION]...\n"
		"--dev [--listen ADDRESS]... [OPTION]...",
    .options = options,
    .run = run,
};

int main(int argc, char **argv)
{
	return tool_main(&spec, argc, argv);
}
