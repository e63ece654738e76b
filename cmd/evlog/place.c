/* place: which store is meant, and the way into it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/url.h"
#include "evlog.h"
#include "os/clock.h"

void place_option(struct place *p, const struct opts *o, int id)
{
	if (id == 's') {
		p->url = o->arg;
		return;
	}
	p->has_wait = true;
	p->wait_ms = opts_duration_ns(o) / CLOCK_NS_PER_MS;
}

static char *copy(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		tool_dief(TOOL_OSERR, "out of memory");
	return p;
}

static char *default_path(void)
{
	struct buf b = {0};
	struct err e;
	char *path;

	if (tool_state_dir("evlog", &b, &e) < 0)
		tool_dief(TOOL_CONFIG, "%s; name a store with -s or EVLOG_STORE", e.msg);
	path = copy(b.data);
	buf_done(&b);
	return path;
}

char *place_path(const struct place *p, bool *ret_default)
{
	const char *text = p->url != NULL ? p->url : tool_env("EVLOG_STORE");
	struct url url = {0};
	struct err e;
	char *path;

	*ret_default = text == NULL;
	if (text == NULL)
		return default_path();
	if (*text == '\0')
		tool_dief(TOOL_CONFIG, "the store's name is empty: give a path or file:DIR");
	if (url_parse(&url, text, &e) < 0)
		tool_dief(TOOL_CONFIG, "store '%s': %s", text, e.msg);
	if (url.scheme != URL_FILE)
		tool_dief(TOOL_CONFIG,
		          "store '%s': evlog keeps no events behind %s: name a directory, as path "
		          "or file:DIR",
		          text, url_scheme_name(url.scheme));
	path = copy(url.path);
	url_done(&url);
	return path;
}

int place_create(const char *path, bool is_default, const struct evlog_init *settings,
                 struct err *e)
{
	struct evlog_init init = *settings;

	if (rand_bytes(init.uuid, sizeof(init.uuid), e) < 0)
		return -1;
	init.now_ns = clock_wall_ns();
	if (is_default && tool_make_parents(path, e) < 0)
		return -1;
	return evlog_create(path, &init, e);
}

void place_fail_to_create(const struct err *e)
{
	bool no_parent = e->code == ENOENT || e->code == ENOTDIR;

	tool_die(no_parent ? TOOL_CANTCREAT : status_of(e), e);
}

/* What recovery did is news for people, line by line. */
static void show_note(struct buf *note)
{
	const char *p = note->data;
	const char *end = p + note->len;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		const char *to = lf != NULL ? lf : end;

		tool_warn("%.*s", (int)(to - p), p);
		p = lf != NULL ? lf + 1 : end;
	}
	buf_done(note);
}

static struct evlog *open_path(const struct place *p, const char *path, bool as_is, struct err *e)
{
	struct evlog_config cfg = {.lock_timeout_ms = p->has_wait ? p->wait_ms : -1,
	                           .no_recover = as_is,
	                           .now_ns = clock_wall_ns()};
	struct buf note = {0};
	struct evlog *s = evlog_open(path, &cfg, &note, e);

	show_note(&note);
	return s;
}

static _Noreturn void fail_to_open(const char *path, const struct err *e)
{
	if (e->code == EVLOG_NO_STORE)
		tool_dief(TOOL_NOINPUT, "no store at '%s'; 'evlog init' makes one", path);
	fail(e);
}

static struct evlog *open_existing(const struct place *p, bool as_is)
{
	struct err e;
	bool is_default;
	char *path = place_path(p, &is_default);
	struct evlog *s = open_path(p, path, as_is, &e);

	if (s == NULL)
		fail_to_open(path, &e);
	free(path);
	return s;
}

struct evlog *place_open(const struct place *p)
{
	return open_existing(p, false);
}

struct evlog *place_open_as_is(const struct place *p)
{
	return open_existing(p, true);
}

struct evlog *place_open_to_append(const struct place *p)
{
	struct err e;
	bool is_default;
	char *path = place_path(p, &is_default);
	struct evlog *s = open_path(p, path, false, &e);

	if (s == NULL && e.code == EVLOG_NO_STORE) {
		if (place_create(path, is_default, &(struct evlog_init){0}, &e) == 0)
			tool_warn("created store '%s'", path);
		else if (e.code != EEXIST) /* else another process made it at the same time */
			place_fail_to_create(&e);
		s = open_path(p, path, false, &e);
	}
	if (s == NULL)
		fail_to_open(path, &e);
	free(path);
	return s;
}

struct evlog *place_open_plain(struct opts *o, int operands, const char *what)
{
	struct place place = {0};

	for (int id; (id = opts_next(o)) != -1;)
		place_option(&place, o, id);
	opts_need(o, operands, operands, what);
	return place_open(&place);
}
