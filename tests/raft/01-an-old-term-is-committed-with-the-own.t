# The other end of figure 8 (e): the leader of term 4 copies an entry of its own term as well.  Then
# whoever lacks it cannot be elected, and everything before it is safe too.  A leader that never
# appended anything of its own would wait for ever: so each begins with an empty entry.
nodes 3 entries=1
quiet campaign 1; quiet stabilize
propose 1 old
    1: writes 3.2
quiet deliver 1>2; quiet persist 1; quiet persist 2; quiet drop
crash 1

quiet tick 3 300; quiet campaign 2
stabilize 2 3
    2>3 prevote term 3 last 3.2
    3>2 prevote-reply term 3 yes
    2: candidate, term 3
    2: writes term 3 vote 2
    2>3 vote term 3 last 3.2
    3: follower, term 3
    3: writes term 3 vote 2
    3>2 vote-reply term 3 yes
    2: leader, term 3
    2: writes 4.3
    2>3 append term 3 prev 3.2 entries 4.3 commit 2 round 1
    3: follower, term 3, leader 2
    3>2 append-reply term 3 no, try 2.2 round 1
    2>3 append term 3 prev 2.2 entries 3.2 commit 2
    3: writes 3.2
    3>2 append-reply term 3 has 2.2
    3>2 append-reply term 3 has 3.2
    2>3 append term 3 prev 3.2 entries 4.3 commit 2
    3: writes 4.3
    3>2 append-reply term 3 has 4.3
    2: applies 3.2 old
    2: applies 4.3 (noop)
    2>3 append term 3 prev 4.3 commit 4
    3: applies 3.2 old
    3: applies 4.3 (noop)
expect leader 2
expect 2 commit 4
expect 3 has old
restart 1
quiet tick 2 50; quiet stabilize
expect agree
