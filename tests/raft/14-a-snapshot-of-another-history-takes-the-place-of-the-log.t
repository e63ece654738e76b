# Paper, figure 13, rule 7: the log goes when the snapshot's point is not in it with that term.
# hashicorp/raft #697: a follower with a longer log of another term kept it and asked for the snapshot
# for ever.  Here the log begins anew behind the snapshot, on disk too.
nodes 5 trailing=1
quiet campaign 1; quiet stabilize
# Node 2 has a tail of term 2 that nobody else has.
propose 1 gone gone gone gone
    1: writes 3.2 4.2 5.2 6.2
quiet deliver 1>2; quiet persist 2; quiet drop; quiet crash 1; quiet cut 2
# Leader 3 has gone on, and its log begins behind what node 2 lacks.
quiet tick 4 300; quiet tick 5 300; quiet campaign 3; quiet stabilize
quiet propose 3 a b c; quiet stabilize
quiet beat 3 8; quiet snapshot 3
status 3
    3: leader term 3 vote 3 commit 6 log behind 5.3 3
heal
tick 3 50; stabilize
    3>1 snapshot term 3 of 6.3 bytes 0..18 of 18: nobody is there
    3>1 append term 3 prev 0.0 commit 0 round 10: nobody is there
    3>2 snapshot term 3 of 6.3 bytes 0..18 of 18
    2: follower, term 3, leader 3
    2: writes term 3
    3>2 append term 3 prev 0.0 commit 0 round 10
    3>4 append term 3 prev 6.3 commit 6 round 10
    3>5 append term 3 prev 6.3 commit 6 round 10
    2: loads snapshot 6.3
    2: writes begin-behind 6.3
    2: log begins behind 6
    4>3 append-reply term 3 has 6.3 round 10
    5>3 append-reply term 3 has 6.3 round 10
    2>3 append-reply term 3 has 2.2 round 10
    2>3 snapshot-reply term 3 of 6.3 installed
    3>2 append term 3 prev 6.3 commit 6 round 10
    2>3 append-reply term 3 has 6.3 round 10
expect 2 applied a b c
expect agree 2 3 4 5
crash 2; restart 2
expect 2 has-not gone
