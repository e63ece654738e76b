/*
 * A replica's snapshots beside its log: what becomes of a transfer that nobody ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "os/file.h"
#include "replica/replica.h"
#include "tmp_dir.h"

#define CLUSTER 9
#define SELF    1
#define LEADER  2

static const struct raft_conf two = {.count = 2,
                                     .member = {{.id = SELF, .voter = true, .was_voter = true},
                                                {.id = LEADER, .voter = true, .was_voter = true}}};

struct box {
	char *path;
	int dir;
	struct replica *replica;
	uint64_t now;
	struct err e;
};

static void ignore_send(void *ctx, const struct raft_message *m, struct span bytes)
{
	(void)ctx;
	(void)m;
	(void)bytes;
}

static void ignore_applied(void *ctx, const struct raft_entry *entry, const struct kv_output *out)
{
	(void)ctx;
	(void)entry;
	(void)out;
}

static void begin(struct box *b)
{
	*b = (struct box){.path = tmp_dir_new(), .now = 1};
	b->dir = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct replica_config c = {
	    .raft = {.cluster = CLUSTER, .self = SELF, .seed = 1},
	    .wal = {.io = &io_os, .dir = b->dir, .mode = 0600, .pid = 1},
	    .boot = &two,
	    .snapshot_entries = 5,
	    .hooks = {.send = ignore_send, .applied = ignore_applied},
	};

	b->replica = replica_open(&c, b->now, NULL, &b->e);
	assert_non_null(b->replica);
}

static void end(struct box *b)
{
	replica_close(b->replica);
	close(b->dir);
	tmp_dir_free(b->path);
}

/* Do all that both lanes have to do. */
static void work(struct box *b)
{
	for (int lane = 0; lane < REPLICA_LANES; lane++)
		while (replica_work_begin(b->replica, lane)) {
			assert_int_equal(replica_work_write(b->replica, lane, &b->e), 0);
			assert_int_equal(replica_work_sync(b->replica, lane, &b->e), 0);
			assert_int_equal(replica_work_end(b->replica, lane, ++b->now, &b->e), 0);
			lane = 0;
		}
}

static void receive(struct box *b, struct raft_message m)
{
	struct replica_answer a;
	struct buf bytes = {0};

	m.cluster = CLUSTER;
	m.from = LEADER;
	m.to = SELF;
	m.term = 2;
	raft_message_put(&bytes, &m);
	assert_false(bytes.failed);
	assert_int_equal(
	    replica_receive(b->replica, ++b->now, (struct span){bytes.data, bytes.len}, &a, &b->e),
	    0);
	assert_int_equal(a.drop, RAFT_KEPT);
	buf_done(&bytes);
	work(b);
}

/* The entries 2 to last of the leader's log, all of them committed. */
static void receive_entries(struct box *b, uint64_t last)
{
	struct raft_entry entries[20];
	size_t n = 0;

	for (uint64_t i = 2; i <= last; i++)
		entries[n++] = (struct raft_entry){
		    .index = i, .term = 2, .type = RAFT_ENTRY_NOOP, .version = RAFT_ENTRY_VERSION};
	receive(b, (struct raft_message){.type = RAFT_APPEND,
	                                 .prev = {1, 1},
	                                 .entries = entries,
	                                 .count = n,
	                                 .commit = last});
}

static uint64_t snapshot_of(const struct box *b)
{
	struct raft_view v;

	raft_look(replica_raft(b->replica), &v);
	return v.snapshot.index;
}

/*
 * The leader that sent the first chunk is gone, the next one had the entries still: the node took
 * no snapshot of its own any more, its log grew for ever, and when it led it had none to send.
 */
static void a_transfer_that_was_left_does_not_stop_snapshots(void **state)
{
	struct box b;

	(void)state;
	begin(&b);
	receive(&b, (struct raft_message){.type = RAFT_SNAPSHOT,
	                                  .prev = {5, 2},
	                                  .conf = &two,
	                                  .size = 100,
	                                  .sum = 7,
	                                  .data = {"0123456789", 10}});
	assert_int_equal(snapshot_of(&b), 0);
	receive_entries(&b, 10);
	assert_int_equal(snapshot_of(&b), 10);
	end(&b);
}

static void a_transfer_under_way_is_not_disturbed(void **state)
{
	struct box b;

	(void)state;
	begin(&b);
	receive(&b, (struct raft_message){.type = RAFT_SNAPSHOT,
	                                  .prev = {15, 2},
	                                  .conf = &two,
	                                  .size = 100,
	                                  .sum = 7,
	                                  .data = {"0123456789", 10}});
	receive_entries(&b, 10);
	assert_int_equal(snapshot_of(&b), 0);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_transfer_that_was_left_does_not_stop_snapshots),
	    cmocka_unit_test(a_transfer_under_way_is_not_disturbed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
