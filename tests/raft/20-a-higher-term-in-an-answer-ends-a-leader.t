# A term that is higher is heard in answers too, and an old leader steps down at once; but a question
# before an election (pre-vote) tells of a term that does not exist yet, and changes nothing.
nodes 3
quiet campaign 1; quiet stabilize
quiet tick 2 300; quiet tick 3 300
quiet cut 1
quiet campaign 2; quiet stabilize 2 3
expect leader 2
quiet heal
# Node 3 asks for the term after: nothing changes.
quiet tick 3 300; campaign 3; deliver 3>1 prevote
    3: precandidate, term 3
    3>1 prevote term 4 last 3.3
    1: dropped: the leader lives
expect 1 term 2
expect 1 role leader
quiet drop
quiet tick 1 50; deliver 1>2
    1>2 append term 2 prev 2.2 commit 2 round 2
    2: dropped: stale
deliver 2>1
    2>1 append-reply term 3 no, try 0.0
    1: dropped: stale
    1: follower, term 3
    1: writes term 3
expect 1 role follower
expect 1 term 3
