/*
 * raft_story: scripts that tell of a cluster, with what comes of each command below it.
 *
 *	# What could go wrong, for whom it did, and what we do.
 *	nodes 3
 *	campaign 1; quiet stabilize
 *	propose 1 x
 *	    1: writes 3.2
 *	expect 1 commit 2
 *
 * A line that begins with four spaces is what the line above it printed; the other ones are
 * comments (#), and commands, several on a line with "; " between them.  story_run() makes the
 * whole text anew, so that whoever changed something on purpose can look at the difference.  What
 * `expect` demands, and what the world itself watches over (raft_story_world.h), is no matter of
 *taste: it fails whatever the text says.
 *
 *	nodes N [OPTION=VALUE ...]       a cluster of N voters; the first entry of each log has them
 *	node N [OPTION=VALUE ...]        one more, with nothing on its disk
 *	                                 options: heartbeat election stall (ms), entries inflight
 *	                                 uncommitted chunk trailing trailing-max seed lease drift
 *	campaign N                       N's clock moves to its next election
 *	tick [N] MS                      a clock, or all, move on
 *	sleep N MS                       the same, but the node gets no turn meanwhile
 *	propose N TEXT ...               one entry each
 *	read N                           ask for a read; they are numbered from 1 in the story
 *	change N WHAT ID[, WHAT ID]      add, add-promote, promote, demote, remove
 *	transfer N TO
 *	deliver [WHICH]                  those that are in the queue now.  WHICH: N>M, N>, >M, a
 *type (append-reply), first=K; all of it together drop [WHICH]                     they are lost
 *	hold POCKET [WHICH]              they are late, until
 *	release POCKET                   they are back in the queue; a pocket gives again and again
 *	queue                            print what is on its way
 *	stabilize [N ...]                persist and deliver until nothing moves among all, or these
 *	beat N COUNT                     so many heartbeats of N, with stabilize after each
 *	pass MS                          all clocks, in steps of 10 ms, with stabilize after each
 *	cut N>M | N-M | N ...            one way, both ways, from everybody; until
 *	heal
 *	persist N [COUNT]                the first writes reach the disk
 *	hang N | unhang N                nothing reaches it in stabilize
 *	crash N [keep=K]                 K unsynced writes had reached the disk all the same
 *	restart N [OPTION=VALUE ...]
 *	snapshot N                       of what is applied
 *	lose-snapshot N                  its file cannot be read any more
 *	unreachable N PEER
 *	forge TYPE FIELD=N ...           a message that nobody sent arrives: see
 *raft_story_command_net.c status [N]                       print a node, or all clock [N] the
 *cluster's clock as it knows it quiet COMMAND                    print nothing
 *
 *	expect leader N | no-leader      of the nodes that are up
 *	expect agree [N ...]             same last entry, commit and applied commands
 *	expect N role|term|vote|leader|commit|durable|last|log|conf|applied|clock VALUE ...
 *	expect N has|has-not TEXT        applied
 *	expect N on-disk TERM VOTE LAST  what a crash would leave; LAST is INDEX.TERM
 *	expect N up|down
 *	expect N peer P WORD             probe, replicate, snapshot
 *	expect read R granted|refused|waits
 *	expect said TEXT | silent        of the command before
 */
#ifndef SHOAL_TESTS_LIB_RAFT_STORY_H
#define SHOAL_TESTS_LIB_RAFT_STORY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

#define STORY_WORDS_MAX 24

struct world;

struct story {
	struct world *world;
	struct buf text;  /* the story as it went */
	struct buf wrong; /* "line N: ...", empty when all expectations hold */
	struct buf said;  /* by the command before */
	unsigned line;
};

/* Run a story; both buffers of s are the caller's to free, by story_done(). */
void story_run(struct story *s, struct span script);
void story_done(struct story *s);

/* A story's text as a chart: a column for each node, an arrow for each message. */
void story_chart(struct buf *to, struct span text);

/* One command that is not `expect`; and that one.  NULL, or what is wrong with it. */
const char *story_command(struct story *s, int n, char **word);
const char *story_expect(struct story *s, int n, char **word);

/* The ones of raft_story_command_net.c. */
const char *story_deliver(struct story *s, int n, char **word);
const char *story_drop(struct story *s, int n, char **word);
const char *story_hold(struct story *s, int n, char **word);
const char *story_release(struct story *s, int n, char **word);
const char *story_queue(struct story *s, int n, char **word);
const char *story_stabilize(struct story *s, int n, char **word);
const char *story_beat(struct story *s, int n, char **word);
const char *story_pass(struct story *s, int n, char **word);
const char *story_cut(struct story *s, int n, char **word);
const char *story_heal(struct story *s, int n, char **word);
const char *story_forge(struct story *s, int n, char **word);
const char *story_forge_snapshot(struct story *s, int n, char **word);

/* A number, or UINT64_MAX for what is none; NULL is fine. */
uint64_t story_number(const char *word);

#endif
