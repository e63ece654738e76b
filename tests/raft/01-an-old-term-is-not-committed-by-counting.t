# A leader that counts copies of an entry of an older term may commit what a later leader, which
# never saw it, is free to overwrite (Raft paper, 5.4.2 and figure 8; etcd has a test for it,
# TestLeaderOnlyCommitsLogFromCurrentTerm).  We count only entries of the leader's own term; what is
# before them is committed with them.  Each leader begins with such an entry.
nodes 5 entries=1
quiet campaign 1; quiet stabilize
expect leader 1

# (a) Node 1 gets 3.2 to node 2, and to nobody else, before it stops.
propose 1 old
    1: writes 3.2
quiet deliver 1>2; quiet persist 1; quiet persist 2; quiet drop
crash 1

# (b) Node 5, with the votes of 3 and 4, leads term 3 and has an entry of its own at index 3.
quiet tick 3 300; quiet tick 4 300; quiet cut 2
quiet campaign 5; quiet deliver prevote; quiet deliver prevote-reply; quiet persist 5
quiet deliver vote; quiet persist 3; quiet persist 4; quiet deliver vote-reply
expect leader 5
quiet drop append; quiet persist 5
crash 5
quiet heal

# (c) Node 1 is back, leads term 4, and copies 3.2 to node 3: three of five have it now.
restart 1
quiet tick 2 300
quiet campaign 1; quiet stabilize 1 2 3 4
quiet campaign 1; quiet deliver prevote; quiet deliver prevote-reply; quiet persist 1
quiet deliver vote; quiet persist 2; quiet persist 3; quiet persist 4; quiet deliver vote-reply
expect leader 1
expect 1 term 4
quiet drop 1>4; quiet drop 1>5; quiet persist 1
deliver 1>3
    1>3 append term 4 prev 3.2 entries 4.4 commit 0 round 1
    3: follower, term 4, leader 1
deliver 3>1
    3>1 append-reply term 4 no, try 2.2 round 1
deliver 1>3
    1>3 append term 4 prev 2.2 entries 3.2 commit 0
    3: writes 3.2
persist 3
deliver 3>1
    3>1 append-reply term 4 has 2.2
    3>1 append-reply term 4 has 3.2
expect 1 log 1 2 2 4
# (Node 2 has it since (a), and says so.)
deliver 1>2
    1>2 append term 4 prev 3.2 entries 4.4 commit 0 round 1
    2: follower, term 4, leader 1
    2: writes 4.4
deliver 2>1
    2>1 append-reply term 4 has 3.2 round 1
expect 3 log 1 2 2

# On three of five and of an old term: it is not committed.  (After a restart nobody knows what is.)
expect 1 commit 0

# (d) So it is no loss when node 5 leads again and overwrites it everywhere.
crash 1; crash 2
    2: 1 unsynced writes are lost
quiet drop
restart 2; restart 5
quiet tick 2 300; quiet tick 3 300; quiet tick 4 300
quiet campaign 5; quiet stabilize 2 3 4 5
quiet campaign 5; quiet stabilize 2 3 4 5
expect leader 5
expect agree 2 3 4 5
restart 1
quiet tick 5 50; quiet stabilize
expect agree
expect 1 has-not old
