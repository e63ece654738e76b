# Ongaro's own correction (raft-dev, 2015): a new leader that changes the members before anything of
# its term is committed may do so beside a change of the leader before it, and the two have
# majorities that do not meet (openraft #2051, AxonIQ #120; hashicorp's configurationChangeChIfStable).
# The answer is "not yet"; nothing is done.
nodes 3
quiet campaign 1
quiet deliver prevote; quiet deliver prevote-reply; quiet persist 1
quiet deliver vote; quiet persist 2; quiet deliver 2>1
expect leader 1
change 1 add 4
    1: not yet
expect said not yet
expect 1 conf 1 2 3
quiet stabilize
node 4
change 1 add 4
    1: members 1 2 3 (4)
    1: writes 3.2
expect 1 conf 1 2 3 (4)

# One at a time: the next waits until this one is committed.
change 1 remove 3
    1: not yet
expect said not yet
stabilize
    1>2 append term 2 prev 2.2 entries 3.2 commit 2
    2: members 1 2 3 (4)
    2: writes 3.2
    1>3 append term 2 prev 2.2 entries 3.2 commit 2
    3: members 1 2 3 (4)
    3: writes 3.2
    1>4 append term 2 prev 3.2 commit 2 round 1
    4: follower, term 2, leader 1
    4: writes term 2
    4>1 append-reply term 2 no, try 0.0 round 1
    2>1 append-reply term 2 has 3.2
    1: applies 3.2 (conf)
    3>1 append-reply term 2 has 3.2
    1>2 append term 2 prev 3.2 commit 3
    2: applies 3.2 (conf)
    1>3 append term 2 prev 3.2 commit 3
    3: applies 3.2 (conf)
    1>4 append term 2 prev 0.0 entries 1.1 2.2 3.2 commit 2
    4: members 1 2 3 (4)
    4: writes 1.1 2.2 3.2
    4: applies 1.1 (conf)
    4: applies 2.2 (noop)
    4>1 append-reply term 2 has 3.2
    1>4 append term 2 prev 3.2 commit 3
    4: applies 3.2 (conf)
expect 1 commit 3
expect 4 last 3.2
change 1 remove 3
    1: members 1 2 (3) (4) and before 1 2 3
    1: writes 4.2
quiet stabilize
expect 1 conf 1 2 (4)
