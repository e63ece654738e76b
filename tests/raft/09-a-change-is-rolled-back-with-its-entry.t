# A configuration counts as soon as it stands in the log (thesis, 4.1).  So when its entry is cut,
# the one before counts again; canonical/raft #323 was an assertion that did not expect it.
nodes 3
quiet campaign 1; quiet stabilize
# Leader 1, cut off, makes itself a cluster without node 3.  Half of it needs 2 and 3.
quiet cut 1
change 1 remove 3
    1: members 1 2 (3) and before 1 2 3
    1: writes 3.2
expect 1 conf 1 2 (3) and before 1 2 3
quiet persist 1; quiet drop
expect 1 commit 2
# The others have a leader, which knows nothing of it.
quiet tick 3 300; quiet campaign 2; quiet stabilize 2 3
expect leader 2
quiet propose 2 x; quiet stabilize 2 3
heal
tick 2 50; stabilize
    2>1 prevote term 3 last 2.2
    1: dropped: the leader lives
    2>1 vote term 3 last 2.2
    1: dropped: the leader lives
    2>1 append term 3 prev 2.2 entries 3.3 commit 2 round 1
    1: follower, term 3, leader 2
    1: members 1 2 3
    1: writes term 3 cut-from 3 3.3
    2>1 append term 3 prev 2.2 commit 2 round 2
    2>3 append term 3 prev 4.3 commit 4 round 2
    3>2 append-reply term 3 has 4.3 round 2
    1>2 append-reply term 3 has 3.3 round 2
    2>1 append term 3 prev 3.3 entries 4.3 commit 4
    1: writes 4.3
    1: applies 3.3 (noop)
    1: applies 4.3 x
    1>2 append-reply term 3 has 4.3
expect 1 conf 1 2 3
expect agree
