# etcd #7331, redisraft #22: a new leader's commit index may be behind what the leader before it has
# acknowledged; a read at that index is stale.  A leader reads once an entry of its own term is
# committed, and takes its commit index then.
nodes 3
quiet campaign 1; quiet stabilize
# x is acknowledged by leader 1, and node 2 does not know yet that it is committed.
propose 1 x
    1: writes 3.2
quiet deliver 1>2; quiet deliver 1>3; quiet persist 1; quiet persist 2; quiet deliver 2>1
expect 1 commit 3
quiet drop; crash 1
expect 2 commit 2
quiet tick 3 300; quiet campaign 2; quiet deliver prevote; quiet deliver prevote-reply; quiet persist 2
quiet deliver vote; quiet persist 3; quiet deliver vote-reply
expect 2 role leader
expect 2 commit 2
read 2
expect read 1 waits
stabilize 2 3
    2>3 append term 3 prev 3.2 entries 4.3 commit 2 round 1
    3: follower, term 3, leader 2
    3: writes 4.3
    3>2 append-reply term 3 has 3.2 round 1
    3>2 append-reply term 3 has 4.3
    2: applies 3.2 x
    2: applies 4.3 (noop)
    2>3 append term 3 prev 4.3 commit 4 round 2
    3: applies 3.2 x
    3: applies 4.3 (noop)
    3>2 append-reply term 3 has 4.3 round 2
    2: read 1 granted at 4
expect said read 1 granted at 4
expect 2 has x
