/*
 * raft_core: three nodes of the Raft core in memory, messages handed over as structs, every write
 * durable at once: what the core itself costs.
 *
 * usage: raft_core NODES BATCH BYTES SECONDS
 *
 * BATCH proposals of BYTES each go to the leader in one step; when they are committed, the next.
 * Prints a line: entries a second, steps a second, nanoseconds a step.
 */
#include "bench.h"
#include "raft/raft.h"

#define NODES_MAX   7
#define BATCH_MAX   4096
#define REPLIES_MAX 64

struct node {
	struct raft *raft;
	struct raft_message reply[REPLIES_MAX]; /* they point to nothing */
	size_t replies;
};

static struct node node[NODES_MAX + 1];
static unsigned nodes;
static uint64_t now = 1000000000;
static uint64_t steps;
static uint64_t commit;

static void step(uint64_t n, struct raft_event event);

/* What a follower says waits; what the leader says is handed over while it is valid. */
static void carry_out(uint64_t n, const struct raft_output *out)
{
	uint64_t write = out->write;

	if (n == 1)
		commit = out->commit;
	for (size_t i = 0; i < out->message_count; i++) {
		const struct raft_message *m = &out->messages[i];

		if (n == 1)
			step(m->to, (struct raft_event){.type = RAFT_RECEIVE, .message = m});
		else if (m->to == 1 && node[n].replies < REPLIES_MAX)
			node[n].reply[node[n].replies++] = *m;
	}
	if (write != 0)
		step(n, (struct raft_event){.type = RAFT_DURABLE, .write = write});
}

static void step(uint64_t n, struct raft_event event)
{
	struct raft_output out;
	struct err e;

	event.now = now;
	if (raft_step(node[n].raft, &event, &out, &e) < 0)
		die("node %u: %s", (unsigned)n, e.msg);
	steps++;
	carry_out(n, &out);
}

static bool take_replies(void)
{
	bool any = false;

	for (unsigned n = 2; n <= nodes; n++) {
		struct raft_message reply[REPLIES_MAX];
		size_t count = node[n].replies;

		memcpy(reply, node[n].reply, count * sizeof(*reply));
		node[n].replies = 0;
		for (size_t i = 0; i < count; i++)
			step(1, (struct raft_event){.type = RAFT_RECEIVE, .message = &reply[i]});
		any |= count > 0;
	}
	return any;
}

static void start(void)
{
	struct raft_conf conf = {.count = nodes};
	struct buf room = {.data = NULL};
	struct raft_entry first;
	struct err e;

	for (unsigned i = 0; i < nodes; i++)
		conf.member[i] =
		    (struct raft_member){.id = i + 1, .voter = true, .was_voter = true};
	first = raft_bootstrap(&conf, &room);
	for (unsigned n = 1; n <= nodes; n++) {
		struct raft_config cfg = {.cluster = 1, .self = n, .seed = n};
		struct raft_start at = {.now = now, .term = 1, .entries = &first, .count = 1};

		node[n].raft = raft_new(&cfg, &at, &e);
		if (node[n].raft == NULL)
			die("%s", e.msg);
	}
	buf_done(&room);
	now = raft_deadline(node[1].raft) + 300000000;
	step(1, (struct raft_event){.type = RAFT_TICK});
	while (take_replies())
		;
	if (commit != 2)
		die("node 1 does not lead");
}

static void propose(struct span *data, size_t batch)
{
	uint64_t want = commit + batch;

	step(1, (struct raft_event){.type = RAFT_PROPOSE, .data = data, .count = batch});
	while (take_replies())
		;
	if (commit != want)
		die("%llu are committed, and %llu were proposed", (unsigned long long)commit,
		    (unsigned long long)want);
}

/* Heartbeats, and a snapshot of all that is committed, so that memory is bounded. */
static void keep_house(void)
{
	now += 50000000;
	step(1, (struct raft_event){.type = RAFT_TICK});
	while (take_replies())
		;
	for (unsigned n = 1; n <= nodes; n++) {
		struct raft_snapshot s = {.point = {.index = commit}};
		struct err e;

		s.point.term = raft_term_at(node[n].raft, commit);
		if (raft_conf_at(node[n].raft, commit, &s.conf, &e) < 0)
			die("%s", e.msg);
		step(n, (struct raft_event){.type = RAFT_SNAPSHOT_TAKEN, .snapshot = &s});
	}
}

int main(int argc, char **argv)
{
	static char bytes[65536];
	static struct span data[BATCH_MAX];
	size_t batch;
	uint64_t begin;
	uint64_t end;
	uint64_t first;

	if (argc != 5)
		die("usage: raft_core NODES BATCH BYTES SECONDS");
	nodes = (unsigned)number(argv[1]);
	batch = number(argv[2]);
	if (nodes > NODES_MAX || batch > BATCH_MAX || number(argv[3]) > sizeof(bytes))
		die("at most %d nodes, %d proposals, %zu bytes", NODES_MAX, BATCH_MAX,
		    sizeof(bytes));
	for (size_t i = 0; i < batch; i++)
		data[i] = (struct span){bytes, number(argv[3])};
	start();
	first = commit;
	steps = 0;
	begin = (uint64_t)clock_mono_ns();
	do {
		for (uint64_t until = commit + 20000; commit < until;)
			propose(data, batch);
		keep_house();
		end = (uint64_t)clock_mono_ns();
	} while (end - begin < number(argv[4]) * 1000000000);
	printf("%.0f %.0f %.0f\n", (double)(commit - first) * 1e9 / (double)(end - begin),
	       (double)steps * 1e9 / (double)(end - begin), (double)(end - begin) / (double)steps);
	for (unsigned n = 1; n <= nodes; n++)
		raft_free(node[n].raft);
	return 0;
}
