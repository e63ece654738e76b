/*
 * raft_story_command: the commands of raft_story.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft_story.h"
#include "raft_story_world.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct world_node *live(struct story *s, const char *word)
{
	return world_live(s->world, story_number(word));
}

/* ---- Nodes */

static const char *set_option(struct raft_config *c, const char *word)
{
	const char *eq = strchr(word, '=');
	uint64_t v = eq != NULL ? story_number(eq + 1) : UINT64_MAX;
	const struct {
		const char *name;
		uint64_t *wide;
		uint32_t *narrow;
		uint64_t unit;
	} options[] = {
	    {"heartbeat", &c->heartbeat_ns, NULL, WORLD_MS},
	    {"election", &c->election_ns, NULL, WORLD_MS},
	    {"stall", &c->stall_ns, NULL, WORLD_MS},
	    {"entries", NULL, &c->message_entries, 1},
	    {"inflight", NULL, &c->inflight, 1},
	    {"uncommitted", &c->uncommitted_bytes, NULL, 1},
	    {"chunk", NULL, &c->chunk_bytes, 1},
	    {"trailing", &c->trailing, NULL, 1},
	    {"trailing-max", &c->trailing_max, NULL, 1},
	    {"seed", &c->seed, NULL, 1},
	    {"drift", NULL, &c->drift_ppm, 1},
	    {"cluster", &c->cluster, NULL, 1},
	};

	if (v == UINT64_MAX)
		return "an option is NAME=NUMBER";
	if (strncmp(word, "lease=", 6) == 0) {
		c->lease_reads = v != 0;
		return NULL;
	}
	for (size_t i = 0; i < COUNT(options); i++)
		if (strncmp(word, options[i].name, (size_t)(eq - word)) == 0 &&
		    options[i].name[eq - word] == '\0') {
			if (options[i].wide != NULL)
				*options[i].wide = v * options[i].unit;
			else
				*options[i].narrow = (uint32_t)v;
			return NULL;
		}
	return "no such option";
}

static const char *configure(struct world_node *n, int words, char **word)
{
	const char *bad = NULL;

	for (int i = 0; i < words && bad == NULL; i++)
		bad = set_option(&n->config, word[i]);
	return bad;
}

static const char *new_node(struct story *s, uint64_t id, int words, char **word)
{
	struct world_node *n = &s->world->nodes[id];

	if (n->id != 0)
		return "that node is there";
	n->id = id;
	n->now = 1000 * WORLD_MS;
	n->config = (struct raft_config){
	    .cluster = WORLD_CLUSTER,
	    .self = id,
	    .seed = id,
	    .heartbeat_ns = 50 * WORLD_MS,
	    .election_ns = 300 * WORLD_MS,
	    .trailing = 1,
	    .trailing_max = 1000,
	};
	return configure(n, words, word);
}

/* It has been up for long enough to listen to a candidate, as a node does not just after a start.
 */
static void start_early(struct story *s, struct world_node *n)
{
	uint64_t now = n->now;

	n->now -= n->config.election_ns;
	world_start(s->world, n);
	n->now = now;
}

/* The first entry is on the disk of each, as an `init` leaves it. */
static void found(struct world_node *n, const struct raft_conf *conf)
{
	struct buf room = {0};
	struct raft_entry e = raft_bootstrap(conf, &room);

	net_disk_add(&n->disk.log, &e);
	n->disk.log.term = e.term;
	buf_done(&room);
}

static const char *do_nodes(struct story *s, int n, char **word)
{
	uint64_t count = story_number(word[1]);
	struct raft_conf conf = {0};
	const char *bad = NULL;

	if (count == 0 || count > WORLD_NODES_MAX)
		return "how many?";
	for (uint64_t id = 1; id <= count; id++)
		conf.member[conf.count++] =
		    (struct raft_member){.id = id, .voter = true, .was_voter = true};
	for (uint64_t id = 1; id <= count && bad == NULL; id++) {
		bad = new_node(s, id, n - 2, word + 2);
		if (bad != NULL)
			return bad;
		found(&s->world->nodes[id], &conf);
		start_early(s, &s->world->nodes[id]);
	}
	return NULL;
}

static const char *do_node(struct story *s, int n, char **word)
{
	uint64_t id = story_number(word[1]);
	const char *bad;

	if (id == 0 || id > WORLD_NODES_MAX)
		return "no such id";
	bad = new_node(s, id, n - 2, word + 2);
	if (bad == NULL)
		start_early(s, &s->world->nodes[id]);
	return bad;
}

static const char *do_crash(struct story *s, int n, char **word)
{
	struct world_node *node = live(s, word[1]);
	uint64_t keep = 0;

	if (n > 2 && strncmp(word[2], "keep=", 5) == 0)
		keep = story_number(word[2] + 5);
	if (node == NULL || keep == UINT64_MAX)
		return "who, and keep how many?";
	world_crash(s->world, node, keep);
	return NULL;
}

static const char *do_restart(struct story *s, int n, char **word)
{
	uint64_t id = story_number(word[1]);
	const char *bad;

	if (id == 0 || id > WORLD_NODES_MAX || s->world->nodes[id].id == 0)
		return "no such node";
	if (s->world->nodes[id].raft != NULL)
		return "it is up";
	bad = configure(&s->world->nodes[id], n - 2, word + 2);
	if (bad == NULL)
		world_start(s->world, &s->world->nodes[id]);
	return bad;
}

/* ---- Time, and what is asked of a node */

static const char *do_campaign(struct story *s, int n, char **word)
{
	struct world_node *node = live(s, word[1]);

	(void)n;
	if (node == NULL)
		return "who?";
	world_campaign(s->world, node);
	return NULL;
}

static const char *do_tick(struct story *s, int n, char **word)
{
	uint64_t ms = story_number(word[n - 1]);
	uint64_t only = n > 2 ? story_number(word[1]) : 0;

	if (ms == UINT64_MAX || only > WORLD_NODES_MAX)
		return "how long?";
	for (uint64_t id = 1; id <= WORLD_NODES_MAX; id++)
		if ((only == 0 || id == only) && s->world->nodes[id].id != 0)
			world_tick(s->world, &s->world->nodes[id], ms * WORLD_MS);
	return NULL;
}

static const char *do_sleep(struct story *s, int n, char **word)
{
	struct world_node *node = live(s, word[1]);
	uint64_t ms = story_number(word[2]);

	(void)n;
	if (node == NULL || ms == UINT64_MAX)
		return "who, how long?";
	node->now += ms * WORLD_MS;
	return NULL;
}

static const char *do_propose(struct story *s, int n, char **word)
{
	struct world_node *node = live(s, word[1]);
	struct span data[STORY_WORDS_MAX];

	if (node == NULL)
		return "who?";
	for (int i = 2; i < n; i++)
		data[i - 2] = (struct span){word[i], strlen(word[i])};
	world_step(
	    s->world, node,
	    (struct raft_event){.type = RAFT_PROPOSE, .data = data, .count = (size_t)(n - 2)});
	return NULL;
}

static const char *do_read(struct story *s, int n, char **word)
{
	struct world_node *node = live(s, word[1]);
	uint64_t context = ++s->world->contexts;

	(void)n;
	if (node == NULL || node->read_count == WORLD_READS_MAX)
		return "who?";
	node->reads[node->read_count++] = (struct world_read){context, WORLD_WAITS, 0};
	world_step(s->world, node, (struct raft_event){.type = RAFT_ASK_READ, .context = context});
	return NULL;
}

static const char *do_change(struct story *s, int n, char **word)
{
	static const struct {
		const char *name;
		enum raft_change_type type;
		bool promote;
	} kinds[] = {
	    {"add", RAFT_ADD, false},         {"add-promote", RAFT_ADD, true},
	    {"promote", RAFT_PROMOTE, false}, {"demote", RAFT_DEMOTE, false},
	    {"remove", RAFT_REMOVE, false},
	};
	struct world_node *node = live(s, word[1]);
	struct raft_change changes[STORY_WORDS_MAX / 2];
	size_t count = 0;

	for (int i = 2; i + 1 < n; i += 2) {
		size_t k = 0;

		while (k < COUNT(kinds) && strcmp(word[i], kinds[k].name) != 0)
			k++;
		if (k == COUNT(kinds))
			return "no such change";
		word[i + 1][strcspn(word[i + 1], ",")] = '\0';
		changes[count++] = (struct raft_change){.type = kinds[k].type,
		                                        .id = story_number(word[i + 1]),
		                                        .promote = kinds[k].promote};
	}
	if (node == NULL || count == 0)
		return "who, and what?";
	world_step(s->world, node,
	           (struct raft_event){.type = RAFT_CHANGE, .changes = changes, .count = count});
	return NULL;
}

static const char *do_about(struct story *s, const char *who, const char *node, int type)
{
	struct world_node *n = live(s, who);

	if (n == NULL || story_number(node) == UINT64_MAX)
		return "who, and whom?";
	world_step(
	    s->world, n,
	    (struct raft_event){.type = (enum raft_event_type)type, .node = story_number(node)});
	return NULL;
}

static const char *do_transfer(struct story *s, int n, char **word)
{
	(void)n;
	return do_about(s, word[1], word[2], RAFT_TRANSFER);
}

static const char *do_unreachable(struct story *s, int n, char **word)
{
	(void)n;
	return do_about(s, word[1], word[2], RAFT_UNREACHABLE);
}

/* ---- Disk */

static const char *do_persist(struct story *s, int n, char **word)
{
	struct world_node *node = live(s, word[1]);

	if (node == NULL)
		return "who?";
	if (node->disk.pending_count == 0)
		return "there is nothing to write";
	world_persist(s->world, node, n > 2 ? story_number(word[2]) : node->disk.pending_count);
	return NULL;
}

static const char *do_hang(struct story *s, int n, char **word)
{
	struct world_node *node = live(s, word[1]);

	(void)n;
	if (node == NULL)
		return "who?";
	node->disk.hangs = word[0][0] == 'h';
	return NULL;
}

static const char *do_snapshot(struct story *s, int n, char **word)
{
	struct world_node *node = live(s, word[1]);

	(void)n;
	if (node == NULL)
		return "who?";
	world_snapshot(s->world, node);
	return NULL;
}

static const char *do_lose_snapshot(struct story *s, int n, char **word)
{
	struct world_node *node = live(s, word[1]);

	(void)n;
	if (node == NULL || !node->disk.has_snapshot)
		return "whose?";
	node->disk.has_snapshot = false;
	world_step(
	    s->world, node,
	    (struct raft_event){.type = RAFT_SNAPSHOT_LOST, .snapshot = &node->disk.snapshot});
	return NULL;
}

/* ---- Looking */

static void say_node(struct world *w, const struct world_node *n)
{
	static const char *const roles[] = {"follower", "precandidate", "candidate", "leader"};
	struct raft_view v;
	struct buf b = {0};

	if (n->raft == NULL) {
		world_say(w, "%" PRIu64 ": down", n->id);
		return;
	}
	raft_look(n->raft, &v);
	buf_printf(&b, "%" PRIu64 ": %s term %" PRIu64 " vote %" PRIu64 " commit %" PRIu64 " log",
	           n->id, roles[v.role], v.term, v.vote, v.commit);
	if (v.base.index > 0)
		buf_printf(&b, " behind %" PRIu64 ".%" PRIu64, v.base.index, v.base.term);
	buf_add_char(&b, ' ');
	world_put_log(&b, n->raft);
	world_say(w, "%.*s", (int)b.len, b.data);
	buf_done(&b);
}

static const char *do_status(struct story *s, int n, char **word)
{
	for (uint64_t id = 1; id <= WORLD_NODES_MAX; id++)
		if (s->world->nodes[id].id != 0 && (n == 1 || story_number(word[1]) == id))
			say_node(s->world, &s->world->nodes[id]);
	return NULL;
}

static const char *do_clock(struct story *s, int n, char **word)
{
	for (uint64_t id = 1; id <= WORLD_NODES_MAX; id++) {
		const struct world_node *node = world_live(s->world, id);

		if (node != NULL && (n == 1 || story_number(word[1]) == id))
			world_say(s->world, "%" PRIu64 ": clock %" PRIu64 " ms", id,
			          raft_clock(node->raft, node->now) / WORLD_MS);
	}
	return NULL;
}

/* ---- All of them */

const char *story_command(struct story *s, int n, char **word)
{
	static const struct {
		const char *name;
		int words; /* at least */
		const char *(*run)(struct story *s, int n, char **word);
	} commands[] = {
	    {"nodes", 2, do_nodes},
	    {"node", 2, do_node},
	    {"campaign", 2, do_campaign},
	    {"tick", 2, do_tick},
	    {"sleep", 3, do_sleep},
	    {"propose", 3, do_propose},
	    {"read", 2, do_read},
	    {"change", 4, do_change},
	    {"transfer", 3, do_transfer},
	    {"deliver", 1, story_deliver},
	    {"drop", 1, story_drop},
	    {"hold", 2, story_hold},
	    {"release", 2, story_release},
	    {"queue", 1, story_queue},
	    {"stabilize", 1, story_stabilize},
	    {"beat", 3, story_beat},
	    {"pass", 2, story_pass},
	    {"cut", 2, story_cut},
	    {"heal", 1, story_heal},
	    {"persist", 2, do_persist},
	    {"hang", 2, do_hang},
	    {"unhang", 2, do_hang},
	    {"crash", 2, do_crash},
	    {"restart", 2, do_restart},
	    {"snapshot", 2, do_snapshot},
	    {"lose-snapshot", 2, do_lose_snapshot},
	    {"unreachable", 3, do_unreachable},
	    {"forge", 5, story_forge},
	    {"forge-snapshot", 5, story_forge_snapshot},
	    {"status", 1, do_status},
	    {"clock", 1, do_clock},
	};

	for (size_t i = 0; i < COUNT(commands); i++)
		if (strcmp(word[0], commands[i].name) == 0)
			return n < commands[i].words ? "too few words"
			                             : commands[i].run(s, n, word);
	return "no such command";
}
