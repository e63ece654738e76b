/* watch: changes of a key, or of all keys under a prefix, as lines or as commands. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_out.h"
#include "os/clock.h"
#include "os/coproc.h"
#include "os/wait.h"
#include "raftctl.h"

const struct opt watch_options[] = {
    {OPT_PREFIX, "prefix", "PREFIX", NULL, "all keys that begin with it"},
    {OPT_SINCE, "since", "INDEX", NULL, "also what has changed after that index"},
    {OPT_ONCE, "once", NULL, NULL, "end with the first change"},
    {0},
};

#define KILL_AFTER_MS 5000

/* A key that was there when we looked last. */
struct known {
	char *key;
	size_t len;
	uint64_t index;
};

struct known_list {
	struct known *v;
	size_t n, cap;
};

/* A change: its line is text[at..at + len). */
struct event {
	uint64_t index;
	size_t at, len;
};

struct watch {
	struct store st;
	const char *key, *prefix; /* one of them */
	bool once, has_since;
	uint64_t since;
	char **command;
	struct known_list known;
	bool looked;
	bool told;
	struct event *events;
	size_t event_count, event_cap;
	struct buf text;
};

static void *grown(void *v, size_t n, size_t *cap, size_t size)
{
	void *to = v;

	if (n < *cap)
		return v;
	*cap = *cap == 0 ? 16 : 2 * *cap;
	to = reallocarray(v, *cap, size);
	if (to == NULL)
		tool_dief(TOOL_OSERR, "out of memory");
	return to;
}

/* ---- What is there. */

static void list_add(struct known_list *l, const struct entry *e)
{
	char *key = tool_alloc(1, e->key.len + 1);

	if (e->key.len > 0)
		memcpy(key, e->key.data, e->key.len);
	l->v = grown(l->v, l->n, &l->cap, sizeof(*l->v));
	l->v[l->n++] = (struct known){key, e->key.len, e->index};
}

static void list_done(struct known_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].key);
	free(l->v);
	*l = (struct known_list){0};
}

static int compare_keys(const void *a, const void *b)
{
	const struct known *x = a;
	const struct known *y = b;
	int c = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);

	return c != 0 ? c : (x->len > y->len) - (x->len < y->len);
}

static struct known *find(const struct known_list *l, const struct entry *e)
{
	struct known k = {e->key.data, e->key.len, 0};

	return l->n == 0 ? NULL : bsearch(&k, l->v, l->n, sizeof(*l->v), compare_keys);
}

/* ---- What has changed. */

static void event_end(struct watch *w, uint64_t index, size_t at)
{
	buf_add_char(&w->text, '\n');
	check_buf(&w->text);
	w->events = grown(w->events, w->event_count, &w->event_cap, sizeof(*w->events));
	w->events[w->event_count++] = (struct event){index, at, w->text.len - at};
}

static void note_put(struct watch *w, const struct entry *e)
{
	size_t at = w->text.len;

	entry_put(&w->text, e, "put");
	event_end(w, e->index, at);
}

static void note_delete(struct watch *w, const struct known *k, uint64_t index)
{
	size_t at = w->text.len;

	buf_add_str(&w->text, "{\"event\":\"delete\"");
	put_bytes(&w->text, "key", (struct span){k->key, k->len});
	json_out_key(&w->text, "index");
	json_out_u64_string(&w->text, index);
	buf_add_char(&w->text, '}');
	event_end(w, index, at);
}

/* Is it news?  Then its old place in the list is marked as seen by an index of 0. */
static bool is_news(struct watch *w, const struct entry *e)
{
	struct known *was = find(&w->known, e);
	uint64_t index = was != NULL ? was->index : 0;

	if (was != NULL)
		was->index = 0;
	if (!w->looked)
		return w->has_since && e->index > w->since;
	return index != e->index;
}

static void read_entries(struct watch *w, const struct http_in *in, struct known_list *now)
{
	struct entry e = {.index = 0};
	struct json_member m;
	struct json_each it;
	struct json_doc d;

	answer_json(&w->st, in, &d);
	if (d.value.type != JSON_ARRAY)
		answer_is_odd(&w->st, in);
	json_each_begin(&it, &d.value);
	while (json_each_next(&it, &m)) {
		entry_read(&w->st, &m.value, &e);
		e.has_value = true;
		if (w->key != NULL) { /* also where JSON cannot hold its bytes */
			buf_clear(&e.key);
			buf_add_str(&e.key, w->key);
		}
		if (is_news(w, &e))
			note_put(w, &e);
		list_add(now, &e);
	}
	entry_done(&e);
}

static int compare_events(const void *a, const void *b)
{
	const struct event *x = a;
	const struct event *y = b;

	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

/* Compare with what was there, and remember what is. */
static void look(struct watch *w, const struct http_in *in)
{
	struct known_list now = {0};

	w->event_count = 0;
	buf_clear(&w->text);
	if (answer_is_there(&w->st, in))
		read_entries(w, in, &now);
	for (size_t i = 0; i < w->known.n; i++)
		if (w->known.v[i].index != 0)
			note_delete(w, &w->known.v[i], answer_index(in));
	if (now.n > 0)
		qsort(now.v, now.n, sizeof(*now.v), compare_keys);
	if (w->event_count > 0)
		qsort(w->events, w->event_count, sizeof(*w->events), compare_events);
	list_done(&w->known);
	w->known = now;
	w->looked = true;
}

/* ---- Telling it. */

/* Until it has ended; a signal ends it and us. */
static int wait_for(struct coproc *c, const struct sig *s)
{
	enum coproc_result r;
	struct sig_got got;
	struct err e;

	while ((r = coproc_wait(c, WAIT_FOREVER, &e)) == COPROC_SIGNAL)
		if (sig_next(s, &got) == 1) {
			(void)coproc_stop(c, &e);
			tool_die_by_signal(got.signal);
		}
	if (r == COPROC_FAILED)
		tool_die(TOOL_OSERR, &e);
	return c->proc.code;
}

static int run(struct watch *w, struct span line)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, 0};
	struct sig s;
	struct coproc_spec spec = {
	    .argv = w->command, .sig = &s, .no_answers = true, .kill_after_ms = KILL_AFTER_MS};
	struct coproc c = {.end_input = false};
	struct err e;
	int status;

	if (sig_open(&s, signals, &e) < 0)
		tool_die(TOOL_OSERR, &e);
	if (coproc_start(&c, &spec, &e) < 0)
		tool_die(proc_status_of(&e), &e);
	coproc_send(&c, line.p, line.len);
	coproc_end_input(&c);
	status = wait_for(&c, &s);
	coproc_done(&c);
	sig_close(&s);
	return status;
}

/* Tell one change; the exit status of the command. */
static int tell(struct watch *w, const struct event *ev)
{
	struct span line = {w->text.data + ev->at, ev->len};
	int status;

	w->told = true;
	if (w->command == NULL) {
		tool_write(line.p, line.len);
		tool_flush();
		return TOOL_OK;
	}
	status = run(w, line);
	if (status != 0 && !w->once)
		tool_warn("the command '%s' ended with %d", w->command[0], status);
	return status;
}

static int watch(struct watch *w)
{
	struct block b = {.deadline_ns = w->st.has_timeout ? w->st.deadline_ns : WAIT_FOREVER};
	struct ask a = {.writes = false};
	const struct http_in *in;
	int status = TOOL_OK;
	bool over = false;

	ask_begin(&a, "GET", "/v1/kv/", span_of(w->key != NULL ? w->key : w->prefix));
	if (w->key == NULL)
		ask_param(&a, "recurse", NULL);
	while (!over && store_block(&w->st, &a, &b, &in)) {
		look(w, in);
		for (size_t i = 0; i < w->event_count && !over; i++) {
			status = tell(w, &w->events[i]);
			over = w->once;
		}
	}
	ask_done(&a);
	if (!w->told)
		return TOOL_NO;
	return over ? status : TOOL_OK;
}

int watch_run(struct opts *o)
{
	struct watch w = {.once = false};
	int status;

	for (int id; (id = opts_next(o)) != -1;)
		switch (id) {
		case OPT_PREFIX:
			w.prefix = o->arg;
			break;
		case OPT_SINCE:
			w.since = opts_u64(o, 0, UINT64_MAX);
			w.has_since = true;
			break;
		case OPT_ONCE:
			w.once = true;
			break;
		default:
			store_option(&w.st, o, id);
		}
	opts_need(o, w.prefix == NULL ? 1 : 0, w.prefix == NULL ? 1 : 0, "KEY or --prefix PREFIX");
	w.key = o->operands[0];
	if (w.key != NULL && *w.key == '\0')
		tool_usage("the key is empty; --prefix '' is all keys");
	w.command = o->command;
	store_open(&w.st);
	status = watch(&w);
	list_done(&w.known);
	free(w.events);
	buf_done(&w.text);
	store_close(&w.st);
	return status;
}
