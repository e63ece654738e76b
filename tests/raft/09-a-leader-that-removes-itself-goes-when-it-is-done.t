# A leader that is no member of the new configuration must lead until it is committed, not counting
# itself, and no longer (paper, 6; thesis, 4.2.2).  Then it hands over: no election timeout passes.
nodes 3
quiet campaign 1; quiet stabilize
change 1 remove 1
    1: members (1) 2 3 and before 1 2 3
    1: writes 3.2
expect 1 conf (1) 2 3 and before 1 2 3
stabilize
    1>2 append term 2 prev 2.2 entries 3.2 commit 2
    2: members (1) 2 3 and before 1 2 3
    2: writes 3.2
    1>3 append term 2 prev 2.2 entries 3.2 commit 2
    3: members (1) 2 3 and before 1 2 3
    3: writes 3.2
    2>1 append-reply term 2 has 3.2
    3>1 append-reply term 2 has 3.2
    1: members 2 3
    1: writes 4.2
    1: applies 3.2 (conf)
    1>2 append term 2 prev 3.2 entries 4.2 commit 3
    2: members 2 3
    2: writes 4.2
    2: applies 3.2 (conf)
    1>3 append term 2 prev 3.2 entries 4.2 commit 3
    3: members 2 3
    3: writes 4.2
    3: applies 3.2 (conf)
    2>1 append-reply term 2 has 4.2
    3>1 append-reply term 2 has 4.2
    1: follower, term 2
    1: applies 4.2 (conf)
    1>2 append term 2 prev 4.2 commit 4
    2: applies 4.2 (conf)
    1>2 timeout-now term 2
    2: candidate, term 3
    2: writes term 3 vote 2
    1>3 append term 2 prev 4.2 commit 4
    3: applies 4.2 (conf)
    2>3 vote term 3 last 4.2 forced
    3: follower, term 3
    3: writes term 3 vote 2
    3>2 vote-reply term 3 yes
    2: leader, term 3
    2: writes 5.3
    2>3 append term 3 prev 4.2 entries 5.3 commit 4 round 1
    3: follower, term 3, leader 2
    3: writes 5.3
    3>2 append-reply term 3 has 4.2 round 1
    3>2 append-reply term 3 has 5.3
    2: applies 5.3 (noop)
    2>3 append term 3 prev 5.3 commit 5
    3: applies 5.3 (noop)
expect 2 conf 2 3
expect 2 role leader
expect 1 role follower
propose 2 x; quiet stabilize
    2: writes 6.3
expect agree 2 3
