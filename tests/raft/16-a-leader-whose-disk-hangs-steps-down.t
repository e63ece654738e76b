# A leader whose disk hangs still sends heartbeats, so nobody else is elected, and nothing is ever
# committed by it alone (hashicorp #503, open since 2022; consul #3552).  When its oldest write is
# older than two election timeouts it hands over, and does not stand for election while it hangs.
nodes 3
quiet campaign 1; quiet stabilize
hang 1
propose 1 x
    1: writes 3.2
quiet stabilize
expect 1 has x
quiet beat 1 12
expect 1 role leader
tick 1 50
    1: follower, term 2
stabilize
    1>2 timeout-now term 2
    2: candidate, term 3
    2: writes term 3 vote 2
    2>1 vote term 3 last 3.2 forced
    1: follower, term 3
    1: writes term 3 vote 2
    2>3 vote term 3 last 3.2 forced
    3: follower, term 3
    3: writes term 3 vote 2
    3>2 vote-reply term 3 yes
    2: leader, term 3
    2: writes 4.3
    2>3 append term 3 prev 3.2 entries 4.3 commit 3 round 1
    3: follower, term 3, leader 2
    3: writes 4.3
    2>1 append term 3 prev 3.2 entries 4.3 commit 3 round 1
    1: follower, term 3, leader 2
    1: writes 4.3
    3>2 append-reply term 3 has 3.2 round 1
    3>2 append-reply term 3 has 4.3
    2: applies 4.3 (noop)
    2>3 append term 3 prev 4.3 commit 4
    3: applies 4.3 (noop)
expect 1 role follower
expect 1 on-disk 2 1 2.2
propose 2 y; quiet stabilize
    2: writes 5.3
expect leader 2
expect 3 applied x y
