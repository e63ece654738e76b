/*
 * raft_story_expect: what a story demands (raft_story.h).
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft_story.h"
#include "raft_story_world.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Kept by the world, for the message. */
static const char *not_so(struct story *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static const char *not_so(struct story *s, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return world_keep(s->world, (struct span){text, strlen(text) + 1}).p;
}

static const char *join(struct story *s, int n, char **word)
{
	struct buf b = {0};
	struct span kept;

	for (int i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(&b, ' ');
		buf_add_str(&b, word[i]);
	}
	buf_add_char(&b, '\0');
	kept = world_keep(s->world, (struct span){b.data, b.len});
	buf_done(&b);
	return kept.p;
}

static const char *same(struct story *s, const char *want, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static const char *same(struct story *s, const char *want, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return strcmp(want, text) == 0 ? NULL : not_so(s, "want '%s', it is '%s'", want, text);
}

/* ---- The cluster */

static const char *expect_leader(struct story *s, uint64_t want)
{
	uint64_t term = 0;
	uint64_t leader = 0;

	for (uint64_t id = 1; id <= WORLD_NODES_MAX; id++) {
		struct world_node *n = world_live(s->world, id);
		struct raft_view v;

		if (n == NULL)
			continue;
		raft_look(n->raft, &v);
		if (v.role == RAFT_LEADER && v.term > term) {
			leader = id;
			term = v.term;
		}
	}
	return leader == want ? NULL : not_so(s, "the leader is %" PRIu64, leader);
}

/* The commands alone: an entry that nobody sees needs no place in a story. */
static void put_applied(struct buf *to, const struct world_node *n)
{
	const char *p = n->applied.data;
	size_t len = n->applied.len;

	while (len > 0) {
		const char *lf = memchr(p, '\n', len);
		const char *sp = memchr(p, ' ', len);

		if (to->len > 0)
			buf_add_char(to, ' ');
		buf_add(to, sp + 1, (size_t)(lf - sp - 1));
		len -= (size_t)(lf + 1 - p);
		p = lf + 1;
	}
}

static const char *expect_agree(struct story *s, int n, char **word)
{
	const struct world_node *first = NULL;
	struct raft_view a, b;

	for (uint64_t id = 1; id <= WORLD_NODES_MAX; id++) {
		const struct world_node *node = world_live(s->world, id);
		bool named = n == 0;

		for (int i = 0; i < n; i++)
			named |= story_number(word[i]) == id;
		if (!named || (node == NULL && n == 0))
			continue;
		if (node == NULL)
			return not_so(s, "%" PRIu64 " is down", id);
		raft_look(node->raft, &b);
		if (first == NULL) {
			first = node;
			a = b;
			continue;
		}
		if (a.last.index != b.last.index || a.last.term != b.last.term ||
		    a.commit != b.commit || first->applied.len != node->applied.len ||
		    (first->applied.len > 0 &&
		     memcmp(first->applied.data, node->applied.data, first->applied.len) != 0))
			return not_so(s, "%" PRIu64 " and %" PRIu64 " differ", first->id, id);
	}
	return first != NULL ? NULL : "nobody is up";
}

static const char *expect_read(struct story *s, uint64_t context, const char *word)
{
	static const char *const words[] = {"waits", "granted", "refused"};

	for (uint64_t id = 1; id <= WORLD_NODES_MAX; id++) {
		const struct world_node *n = &s->world->nodes[id];

		for (size_t i = 0; i < n->read_count; i++)
			if (n->reads[i].context == context)
				return same(s, word, "%s", words[n->reads[i].answer]);
	}
	return "there is no such read";
}

static const char *expect_said(struct story *s, const char *text)
{
	return memmem(s->said.data, s->said.len, text, strlen(text)) != NULL
	           ? NULL
	           : not_so(s, "it said '%.*s'", (int)s->said.len, s->said.data);
}

/* ---- A node */

static const char *expect_applied(struct story *s, const struct world_node *n, const char *want,
                                  char how)
{
	struct buf b = {0};
	const char *bad;
	bool has;

	put_applied(&b, n);
	if (how == 'a') {
		bad = same(s, want, "%.*s", (int)b.len, b.len > 0 ? b.data : "");
		buf_done(&b);
		return bad;
	}
	has = b.len > 0 && memmem(b.data, b.len, want, strlen(want)) != NULL;
	bad = has == (how == '+')
	          ? NULL
	          : not_so(s, "applied is '%.*s'", (int)b.len, b.len > 0 ? b.data : "");
	buf_done(&b);
	return bad;
}

static const char *expect_text(struct story *s, const struct world_node *n, const char *what,
                               const char *want)
{
	struct raft_view v;
	struct buf b = {0};
	const char *bad;

	raft_look(n->raft, &v);
	if (strcmp(what, "conf") == 0)
		world_put_conf(&b, v.conf);
	else
		world_put_log(&b, n->raft);
	bad = same(s, want, "%.*s", (int)b.len, b.len > 0 ? b.data : "");
	buf_done(&b);
	return bad;
}

static const char *expect_peer(struct story *s, const struct world_node *n, uint64_t peer,
                               const char *want)
{
	static const char *const words[] = {"probe", "replicate", "snapshot"};
	struct raft_view v;

	raft_look(n->raft, &v);
	for (uint32_t i = 0; i < v.peer_count; i++)
		if (v.peers[i].id == peer)
			return same(s, want, "%s", words[v.peers[i].state]);
	return "no such peer";
}

static const char *expect_view(struct story *s, const struct world_node *n, const char *what,
                               const char *want)
{
	static const char *const roles[] = {"follower", "precandidate", "candidate", "leader"};
	struct raft_view v;
	const struct {
		const char *name;
		const uint64_t *value;
	} numbers[] = {
	    {"term", &v.term},     {"vote", &v.vote},       {"leader", &v.leader},
	    {"commit", &v.commit}, {"durable", &v.durable},
	};

	raft_look(n->raft, &v);
	for (size_t i = 0; i < COUNT(numbers); i++)
		if (strcmp(what, numbers[i].name) == 0)
			return same(s, want, "%" PRIu64, *numbers[i].value);
	if (strcmp(what, "clock") == 0)
		return same(s, want, "%" PRIu64, raft_clock(n->raft, n->now) / WORLD_MS);
	if (strcmp(what, "role") == 0)
		return same(s, want, "%s", roles[v.role]);
	if (strcmp(what, "last") == 0)
		return same(s, want, "%" PRIu64 ".%" PRIu64, v.last.index, v.last.term);
	return "nobody knows what to look at";
}

/* What a crash of this moment would leave. */
static const char *expect_on_disk(struct story *s, const struct world_node *n, const char *want)
{
	const struct net_disk *d = &n->disk.log;
	struct raft_point last = d->base;

	if (d->count > 0)
		last = (struct raft_point){d->entries[d->count - 1].index,
		                           d->entries[d->count - 1].term};
	return same(s, want, "%" PRIu64 " %" PRIu64 " %" PRIu64 ".%" PRIu64, d->term, d->vote,
	            last.index, last.term);
}

static const char *expect_node(struct story *s, const struct world_node *n, int words, char **word)
{
	const char *what = word[0];
	const char *want = join(s, words - 1, word + 1);

	if (strcmp(what, "up") == 0 || strcmp(what, "down") == 0)
		return (n->raft != NULL) == (what[0] == 'u') ? NULL : "it is not";
	if (strcmp(what, "on-disk") == 0)
		return expect_on_disk(s, n, want);
	if (n->raft == NULL)
		return "it is down";
	if (strcmp(what, "applied") == 0)
		return expect_applied(s, n, want, 'a');
	if (strcmp(what, "has") == 0 || strcmp(what, "has-not") == 0)
		return expect_applied(s, n, want, what[3] == '\0' ? '+' : '-');
	if (strcmp(what, "conf") == 0 || strcmp(what, "log") == 0)
		return expect_text(s, n, what, want);
	if (strcmp(what, "peer") == 0 && words == 3)
		return expect_peer(s, n, story_number(word[1]), word[2]);
	return expect_view(s, n, what, want);
}

const char *story_expect(struct story *s, int n, char **word)
{
	uint64_t id = story_number(word[0]);

	if (n < 1)
		return "what?";
	if (strcmp(word[0], "leader") == 0 && n == 2)
		return expect_leader(s, story_number(word[1]));
	if (strcmp(word[0], "no-leader") == 0)
		return expect_leader(s, 0);
	if (strcmp(word[0], "agree") == 0)
		return expect_agree(s, n - 1, word + 1);
	if (strcmp(word[0], "read") == 0 && n == 3)
		return expect_read(s, story_number(word[1]), word[2]);
	if (strcmp(word[0], "said") == 0 && n > 1)
		return expect_said(s, join(s, n - 1, word + 1));
	if (strcmp(word[0], "silent") == 0)
		return s->said.len == 0 ? NULL : "it said something";
	if (id == 0 || id > WORLD_NODES_MAX || s->world->nodes[id].id == 0 || n < 2)
		return "whom?";
	return expect_node(s, &s->world->nodes[id], n - 1, word + 1);
}
