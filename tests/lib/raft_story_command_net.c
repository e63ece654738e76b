/*
 * raft_story_command_net: the commands of raft_story.h that are about messages.
 */
#include <inttypes.h>
#include <string.h>

#include "raft_story.h"
#include "raft_story_world.h"

static enum raft_message_type type_named(const char *word)
{
	for (int t = RAFT_PREVOTE; t <= RAFT_READ_REPLY; t++)
		if (strcmp(word, raft_message_name((enum raft_message_type)t)) == 0)
			return (enum raft_message_type)t;
	return (enum raft_message_type)0;
}

static const char *get_filter(struct world_filter *f, int n, char **word)
{
	*f = (struct world_filter){0};
	for (int i = 0; i < n; i++) {
		char *gt = strchr(word[i], '>');

		if (strncmp(word[i], "first=", 6) == 0) {
			f->count = story_number(word[i] + 6);
		} else if (gt != NULL) {
			*gt = '\0';
			f->from = word[i][0] != '\0' ? story_number(word[i]) : 0;
			f->to = gt[1] != '\0' ? story_number(gt + 1) : 0;
			*gt = '>';
		} else {
			f->type = type_named(word[i]);
			if (f->type == 0)
				return "no such message";
		}
	}
	return f->from > WORLD_NODES_MAX || f->to > WORLD_NODES_MAX ? "no such link" : NULL;
}

const char *story_deliver(struct story *s, int n, char **word)
{
	struct world_filter f;
	const char *bad = get_filter(&f, n - 1, word + 1);

	if (bad == NULL && world_deliver(s->world, &f) == 0)
		bad = "there is no such message";
	return bad;
}

const char *story_drop(struct story *s, int n, char **word)
{
	struct world_filter f;
	const char *bad = get_filter(&f, n - 1, word + 1);

	if (bad == NULL && world_drop(s->world, &f) == 0)
		bad = "there is no such message";
	return bad;
}

const char *story_hold(struct story *s, int n, char **word)
{
	struct span pocket = {word[1], strlen(word[1]) + 1};
	struct world_filter f;
	const char *bad = get_filter(&f, n - 2, word + 2);

	if (bad == NULL && world_hold(s->world, &f, world_keep(s->world, pocket).p) == 0)
		bad = "there is no such message";
	return bad;
}

const char *story_release(struct story *s, int n, char **word)
{
	(void)n;
	return world_release(s->world, word[1]) == 0 ? "that pocket is empty" : NULL;
}

const char *story_queue(struct story *s, int n, char **word)
{
	struct world *w = s->world;

	(void)n;
	(void)word;
	for (size_t i = 0; i < w->queue_count; i++) {
		struct buf b = {0};
		struct raft_message m;
		struct err e;

		if (raft_message_get(w->queue[i].bytes, &m, &w->room, &e) < 0)
			return "it cannot be read";
		world_put_message(&b, &m);
		world_say(w, "%.*s%s%s", (int)b.len, b.data,
		          w->queue[i].pocket != NULL ? ", held: " : "",
		          w->queue[i].pocket != NULL ? w->queue[i].pocket : "");
		buf_done(&b);
	}
	return NULL;
}

const char *story_stabilize(struct story *s, int n, char **word)
{
	unsigned nodes = n == 1 ? ~0u : 0;

	for (int i = 1; i < n; i++) {
		if (story_number(word[i]) > WORLD_NODES_MAX)
			return "who?";
		nodes |= 1u << story_number(word[i]);
	}
	world_stabilize(s->world, nodes);
	return NULL;
}

/* A leader's life: a heartbeat, and what comes of it, so many times. */
const char *story_beat(struct story *s, int n, char **word)
{
	uint64_t count = story_number(word[2]);

	(void)n;
	if (world_live(s->world, story_number(word[1])) == NULL || count > 1000)
		return "who, how often?";
	for (; count > 0; count--) {
		struct world_node *node = world_live(s->world, story_number(word[1]));

		if (node == NULL)
			return "it is gone";
		world_tick(s->world, node, node->config.heartbeat_ns);
		world_stabilize(s->world, ~0u);
	}
	return NULL;
}

/* Time goes on everywhere, in small steps. */
const char *story_pass(struct story *s, int n, char **word)
{
	uint64_t ms = story_number(word[1]);

	(void)n;
	if (ms > 100000)
		return "how long?";
	for (uint64_t at = 0; at < ms; at += 10) {
		for (uint64_t id = 1; id <= WORLD_NODES_MAX; id++)
			if (s->world->nodes[id].id != 0)
				world_tick(s->world, &s->world->nodes[id], 10 * WORLD_MS);
		world_stabilize(s->world, ~0u);
	}
	return NULL;
}

static const char *cut(struct world *w, const char *word)
{
	size_t at = strcspn(word, ">-");
	bool both = word[at] != '>';
	uint64_t a = word[0] >= '0' && word[0] <= '9' ? (uint64_t)(word[0] - '0') : UINT64_MAX;
	uint64_t b = word[at] != '\0' ? story_number(word + at + 1) : 0;

	if (at != 1 || a > WORLD_NODES_MAX || b > WORLD_NODES_MAX)
		return "N>M, N-M or N";
	for (uint64_t id = 1; id <= WORLD_NODES_MAX; id++)
		if (b == 0 || id == b) {
			w->cut[a][id] = true;
			w->cut[id][a] |= both;
		}
	return NULL;
}

const char *story_cut(struct story *s, int n, char **word)
{
	const char *bad = NULL;

	for (int i = 1; i < n && bad == NULL; i++)
		bad = cut(s->world, word[i]);
	return bad;
}

const char *story_heal(struct story *s, int n, char **word)
{
	(void)n;
	(void)word;
	memset(s->world->cut, 0, sizeof(s->world->cut));
	return NULL;
}

/* What may be said about a message, and the fields it goes to. */
static const char *forge_field(struct raft_message *m, struct raft_entry *entry, const char *word)
{
	const char *eq = strchr(word, '=');
	uint64_t v = eq != NULL ? story_number(eq + 1) : UINT64_MAX;
	const struct {
		const char *name;
		uint64_t *value;
	} fields[] = {
	    {"from", &m->from},           {"to", &m->to},
	    {"term", &m->term},           {"index", &m->prev.index},
	    {"at-term", &m->prev.term},   {"commit", &m->commit},
	    {"context", &m->context},     {"cluster", &m->cluster},
	    {"entry-term", &entry->term},
	};

	if (v == UINT64_MAX)
		return "a field is NAME=NUMBER";
	if (strncmp(word, "granted=", 8) == 0) {
		m->granted = v != 0;
		return NULL;
	}
	if (strncmp(word, "version=", 8) == 0 || strncmp(word, "type=", 5) == 0) {
		*(word[0] == 'v' ? &entry->version : &entry->type) = (uint8_t)v;
		return NULL;
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strncmp(word, fields[i].name, (size_t)(eq - word)) == 0 &&
		    fields[i].name[eq - word] == '\0') {
			*fields[i].value = v;
			return NULL;
		}
	return "no such field";
}

/*
 * forge TYPE FIELD=NUMBER ...: from to term index at-term commit context cluster granted, and
 * entry-term type version, which make an append carry one entry.
 */
const char *story_forge(struct story *s, int n, char **word)
{
	struct raft_entry entry = {.type = RAFT_ENTRY_COMMAND, .version = 1};
	struct raft_message m = {.type = type_named(word[1]), .cluster = WORLD_CLUSTER};
	const char *bad = m.type == 0 ? "no such message" : NULL;
	struct buf b = {0};

	for (int i = 2; i < n && bad == NULL; i++)
		bad = forge_field(&m, &entry, word[i]);
	if (bad != NULL || world_live(s->world, m.to) == NULL)
		return bad != NULL ? bad : "to whom?";
	if (entry.term != 0) {
		entry.index = m.prev.index + 1;
		m.entries = &entry;
		m.count = 1;
	}
	world_put_message(&b, &m);
	world_say(s->world, "%.*s, forged", (int)b.len, b.data);
	buf_done(&b);
	world_step(s->world, world_live(s->world, m.to),
	           (struct raft_event){.type = RAFT_RECEIVE, .message = &m});
	return NULL;
}

/* forge-snapshot N TO LEADER TERM: the snapshot of N's disk arrives at TO, from LEADER. */
const char *story_forge_snapshot(struct story *s, int n, char **word)
{
	struct world_node *of = world_live(s->world, story_number(word[1]));
	struct world_node *to = world_live(s->world, story_number(word[2]));
	struct raft_message m = {.type = RAFT_SNAPSHOT, .cluster = WORLD_CLUSTER};
	struct buf b = {0};

	(void)n;
	if (of == NULL || to == NULL || !of->disk.has_snapshot)
		return "whose, to whom?";
	m.from = story_number(word[3]);
	m.to = to->id;
	m.term = story_number(word[4]);
	m.prev = of->disk.snapshot.point;
	m.clock_ns = of->disk.snapshot.clock_ns;
	m.conf = &of->disk.snapshot.conf;
	m.size = of->disk.snapshot.size;
	m.sum = of->disk.snapshot.sum;
	m.data = of->disk.state;
	world_put_message(&b, &m);
	world_say(s->world, "%.*s, forged", (int)b.len, b.data);
	buf_done(&b);
	world_step(s->world, to, (struct raft_event){.type = RAFT_RECEIVE, .message = &m});
	return NULL;
}
