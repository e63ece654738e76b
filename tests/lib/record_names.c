/* record_names: the names that a crash leaves. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "record_model.h"

#define DEPTH_MAX 64 /* a subset of renames could make a ring of directories */

void names_copy(struct record_names *to, const struct record_names *from)
{
	to->n = 0;
	to->v = NULL;
	for (size_t i = 0; i < from->n; i++) {
		to->v = record_grow(to->v, to->n, sizeof(*to->v));
		to->v[to->n++] = from->v[i];
	}
}

static struct record_entry *find(const struct record_names *names, size_t dir, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->v[i].dir == dir && strcmp(names->v[i].name, name) == 0)
			return &names->v[i];
	return NULL;
}

static void set(struct record_names *names, size_t dir, const char *name, size_t node)
{
	struct record_entry *entry = find(names, dir, name);

	if (entry == NULL) {
		names->v = record_grow(names->v, names->n, sizeof(*names->v));
		entry = &names->v[names->n++];
	}
	*entry = (struct record_entry){.dir = dir, .name = name, .node = node};
}

static void forget(struct record_names *names, struct record_entry *entry)
{
	if (entry == NULL)
		return;
	assert(names->v != NULL && names->n > 0);
	*entry = names->v[--names->n];
}

void names_apply(struct record_names *names, const struct record_event *ev)
{
	struct record_entry *old = find(names, ev->dir, ev->name);

	switch (ev->kind) {
	case RECORD_ENTER:
		set(names, ev->dir, ev->name, ev->node);
		break;
	case RECORD_REMOVE:
		forget(names, old);
		break;
	case RECORD_RENAME:
		if (old != NULL && old->node == ev->node)
			forget(names, old);
		set(names, ev->to_dir, ev->to_name, ev->node);
		break;
	default:
		break;
	}
}

static bool is_reachable(const struct record_names *names, size_t dir)
{
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		size_t up = RECORD_NONE;

		if (dir == RECORD_ROOT)
			return true;
		for (size_t i = 0; i < names->n && up == RECORD_NONE; i++)
			if (names->v[i].node == dir)
				up = names->v[i].dir;
		if (up == RECORD_NONE)
			return false;
		dir = up;
	}
	return false;
}

/* Whether the node can be reached by any entry but this one. */
static bool is_alive(const struct record_names *names, size_t node, const struct record_entry *but)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->v[i].node == node && &names->v[i] != but &&
		    is_reachable(names, names->v[i].dir))
			return true;
	return false;
}

/*
 * Whether a change can be on the disk without those before it that are not: no file that lives on
 * may lose its last name by it, and nothing is renamed into a directory that is not there.
 */
static bool is_possible(const struct record_names *names, const struct record_names *truth,
                        const struct record_event *ev)
{
	bool is_rename = ev->kind == RECORD_RENAME;
	const struct record_entry *gone =
	    is_rename ? find(names, ev->to_dir, ev->to_name) : find(names, ev->dir, ev->name);

	if (is_rename && ev->to_dir != ev->dir && !is_reachable(names, ev->to_dir))
		return false;
	if (gone == NULL || (ev->kind != RECORD_REMOVE && gone->node == ev->node))
		return true;
	return is_alive(names, gone->node, gone) || !is_alive(truth, gone->node, NULL);
}

/* The choice of a prefix in each directory, by node. */
struct prefix {
	size_t forced;  /* so many of all pending changes precede a durable one of this directory */
	size_t changes; /* those after them */
	size_t keep;    /* so many of these are kept */
	bool stopped;
};

static size_t other_dir(const struct record_event *ev)
{
	return ev->kind == RECORD_RENAME ? ev->to_dir : ev->dir;
}

/* keep_any: a random number of the changes that are not forced; otherwise none. */
static struct prefix *choose_prefixes(const struct pending_name *pending, size_t n, size_t n_nodes,
                                      bool keep_any, uint64_t *rand)
{
	struct prefix *v = record_alloc(n_nodes * sizeof(*v));

	for (size_t i = 0; i < n; i++)
		if (pending[i].durable) {
			v[pending[i].event->dir].forced = i + 1;
			v[other_dir(pending[i].event)].forced = i + 1;
		}
	for (size_t i = 0; i < n; i++) {
		size_t a = pending[i].event->dir;
		size_t b = other_dir(pending[i].event);

		v[a].changes += i >= v[a].forced;
		v[b].changes += b != a && i >= v[b].forced;
	}
	for (size_t i = 0; keep_any && i < n_nodes; i++)
		v[i].keep = v[i].changes == 0 ? 0 : record_rand(rand) % (v[i].changes + 1);
	return v;
}

/* Whether the i-th pending change is in the prefixes of its directories; counts it. */
static bool in_prefix(struct prefix *v, const struct record_event *ev, size_t i)
{
	struct prefix *a = &v[ev->dir];
	struct prefix *b = &v[other_dir(ev)];

	if (i < a->forced || i < b->forced)
		return true;
	if (a->stopped || b->stopped || a->keep == 0 || b->keep == 0) {
		a->stopped = true;
		b->stopped = true;
		return false;
	}
	a->keep--;
	if (b != a)
		b->keep--;
	return true;
}

/*
 * The i-th change, as it is when some before it were lost: a rename takes the file from where it
 * is, which may be the name it had before a rename that was lost.
 */
static struct record_event change_now(const struct record_names *names,
                                      const struct pending_name *pending, size_t i)
{
	struct record_event now = *pending[i].event;

	if (now.kind != RECORD_RENAME)
		return now;
	while (i-- > 0) {
		const struct record_event *ev = pending[i].event;
		const struct record_entry *from = find(names, now.dir, now.name);

		if (from != NULL && from->node == now.node)
			break;
		if (ev->kind == RECORD_RENAME && ev->node == now.node && ev->to_dir == now.dir &&
		    strcmp(ev->to_name, now.name) == 0) {
			now.dir = ev->dir;
			now.name = ev->name;
		}
	}
	return now;
}

void names_choose(struct record_names *names, const struct pending_name *pending, size_t n,
                  size_t n_nodes, const struct model_choice *c)
{
	struct record_names truth = {0};
	struct prefix *prefixes = NULL;
	uint64_t rand = c->seed;

	if (n == 0)
		return;
	names_copy(&truth, names);
	for (size_t i = 0; i < n; i++)
		names_apply(&truth, pending[i].event);
	if (c->mix != RECORD_KEPT && !c->any_order)
		prefixes = choose_prefixes(pending, n, n_nodes, c->mix == RECORD_RANDOM, &rand);
	for (size_t i = 0; i < n; i++) {
		const struct record_event *ev = pending[i].event;
		const struct record_event now = change_now(names, pending, i);
		bool keep = pending[i].durable || c->mix == RECORD_KEPT;

		if (!keep && prefixes != NULL)
			keep = in_prefix(prefixes, ev, i);
		else if (!keep && c->mix == RECORD_RANDOM)
			keep = record_rand(&rand) % 2 == 0;
		if (keep && is_possible(names, &truth, &now))
			names_apply(names, &now);
		else if (prefixes != NULL) {
			prefixes[ev->dir].stopped = true;
			prefixes[other_dir(ev)].stopped = true;
		}
	}
	free(prefixes);
	free(truth.v);
}
