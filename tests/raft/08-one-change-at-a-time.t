# Two changes under way at once can make two majorities that do not meet, whatever each alone allows
# (paper, 6; thesis, 4.1).  The second waits until the first is committed, and until a joint
# configuration has ended.
nodes 3
quiet campaign 1; quiet stabilize
node 4
change 1 add 4
    1: members 1 2 3 (4)
    1: writes 3.2
expect 1 conf 1 2 3 (4)
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
change 1 remove 2
    1: not yet
expect said not yet
quiet stabilize
expect 1 conf 1 2 (4)
