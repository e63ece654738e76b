# Pre-vote, check-quorum and stickiness together can lock up: a node with a higher term cannot win (its
# log is short) and cannot follow (the leader's term is old), and a leader that ignores it never
# learns (etcd: prevote_checkquorum.txt, heartbeat_resp_recovers_from_probing.txt).  So whatever
# comes with an old term is answered with the new one, and the leader begins again with a higher.
nodes 3
quiet campaign 1; quiet stabilize
# Node 3 gets as far as term 3, which nobody else hears of; meanwhile 1 leads on.
quiet tick 2 300; quiet campaign 3; quiet deliver 3>2; quiet deliver 2>3
expect 3 role candidate
expect 3 term 3
quiet persist 3; quiet cut 3; quiet drop
propose 1 x; quiet stabilize
    1: writes 3.2
expect 1 commit 3
heal
expect 1 term 2
tick 1 50; stabilize
    1>2 append term 2 prev 3.2 commit 3 round 2
    1>3 append term 2 prev 3.2 commit 3 round 2
    3: dropped: stale
    2>1 append-reply term 2 has 3.2 round 2
    3>1 append-reply term 3 no, try 0.0
    1: dropped: stale
    1: follower, term 3
    1: writes term 3
expect 1 role follower
expect 1 term 3

# Nobody hears a leader now; the next election ends it.
quiet tick 2 300; quiet tick 3 300
quiet campaign 1; stabilize
    1>2 prevote term 4 last 3.2
    1>3 prevote term 4 last 3.2
    2>1 prevote-reply term 4 yes
    1: candidate, term 4
    1: writes term 4 vote 1
    3>1 prevote-reply term 4 yes
    1: dropped: stale
    1>2 vote term 4 last 3.2
    2: follower, term 4
    2: writes term 4 vote 1
    1>3 vote term 4 last 3.2
    3: follower, term 4
    3: writes term 4 vote 1
    2>1 vote-reply term 4 yes
    1: leader, term 4
    1: writes 4.4
    3>1 vote-reply term 4 yes
    1: dropped: stale
    1>2 append term 4 prev 3.2 entries 4.4 commit 3 round 1
    2: follower, term 4, leader 1
    2: writes 4.4
    1>3 append term 4 prev 3.2 entries 4.4 commit 3 round 1
    3: follower, term 4, leader 1
    2>1 append-reply term 4 has 3.2 round 1
    3>1 append-reply term 4 no, try 2.2 round 1
    2>1 append-reply term 4 has 4.4
    1: applies 4.4 (noop)
    1>2 append term 4 prev 4.4 commit 4
    2: applies 4.4 (noop)
    1>3 append term 4 prev 2.2 entries 3.2 4.4 commit 3
    3: writes 3.2 4.4
    3: applies 3.2 x
    3>1 append-reply term 4 has 2.2
    3>1 append-reply term 4 has 4.4
    1>3 append term 4 prev 4.4 commit 4
    3: applies 4.4 (noop)
expect leader 1
quiet tick 1 50; quiet stabilize
expect agree
