# After a failed or a missing sync nobody knows what is on the disk (fsyncgate; hashicorp/raft goes on
# as a follower, rostamlabs #94; etcd #14098: a node lost unsynced writes and could not start).  The
# process ends, nothing was told that depends on it, and both images it may leave are good.
nodes 3
quiet campaign 1; quiet stabilize
propose 1 x
    1: writes 3.2
deliver 1>2
    1>2 append term 2 prev 2.2 entries 3.2 commit 2
    2: writes 3.2
queue
    1>3 append term 2 prev 2.2 entries 3.2 commit 2
crash 2 keep=0
    2: 1 unsynced writes are lost
restart 2
expect 2 last 2.2
quiet tick 1 50; quiet stabilize; quiet tick 1 50; quiet stabilize
expect agree

propose 1 y
    1: writes 4.2
quiet deliver 1>2
crash 2 keep=1
restart 2
expect 2 last 4.2
quiet tick 1 50; quiet stabilize; quiet tick 1 50; quiet stabilize
expect agree
