# What is committed is for ever.  If a leader's message differs from it, somebody's disk has lost
# what it had promised, and each further step may spread the loss: the node stops and says where.
nodes 3
quiet campaign 1; quiet stabilize
propose 1 a; quiet stabilize
    1: writes 3.2
expect 2 commit 3
forge append from=3 to=2 term=3 index=2 at-term=2 entry-term=3
    3>2 append term 3 prev 2.2 entries 3.3 commit 0, forged
    2: stops: the leader has term 3 at index 3, which is committed here with term 2
expect 2 down
