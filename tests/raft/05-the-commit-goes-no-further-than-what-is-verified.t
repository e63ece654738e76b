# Textbook code commits min(leader's commit, own last index).  A follower with a tail of an older
# leader's then commits entries that nobody else has (etcd's maybeAppend takes the last *new* index
# for that reason).  We commit no further than a message of this leader has verified; a leader of
# ours never says more than that either.
nodes 5
quiet campaign 1; quiet stabilize
# Node 2 has 3.2 and 4.2 of leader 1, which nobody else has.
propose 1 lost gone
    1: writes 3.2 4.2
quiet deliver 1>2; quiet persist 2; quiet drop; crash 1
    1: 1 unsynced writes are lost
expect 2 log 1 2 2 2
# Leader 3 commits three entries of its own.
quiet cut 2; quiet tick 4 300; quiet tick 5 300; quiet campaign 3; quiet stabilize
quiet propose 3 x y; quiet stabilize
expect 3 commit 5
quiet heal

# A heartbeat that agrees up to 2.2 and speaks of commit 5.
forge append from=3 to=2 term=3 index=2 at-term=2 commit=5
    3>2 append term 3 prev 2.2 commit 5, forged
    2: follower, term 3, leader 3
    2: writes term 3
expect 2 commit 2
expect 2 has-not lost

# What the leader really sends: the tail goes, and then the commit counts.
tick 3 50
stabilize
    3>1 append term 3 prev 2.2 commit 2 round 2: nobody is there
    3>2 append term 3 prev 2.2 commit 2 round 2
    2>3 append-reply term 3 has 2.2 round 2
    3>4 append term 3 prev 5.3 commit 5 round 2
    3>5 append term 3 prev 5.3 commit 5 round 2
    3>2 append term 3 prev 3.3 entries 4.3 5.3 commit 5
    4>3 append-reply term 3 has 5.3 round 2
    5>3 append-reply term 3 has 5.3 round 2
    2>3 append-reply term 3 no, try 3.2
    3>2 append term 3 prev 2.2 entries 3.3 4.3 5.3 commit 5
    2: writes cut-from 3 3.3 4.3 5.3
    2: applies 3.3 (noop)
    2: applies 4.3 x
    2: applies 5.3 y
    2>3 append-reply term 3 has 5.3
expect agree 2 3 4 5
expect 2 applied x y
