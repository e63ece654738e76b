# An answer to a heartbeat that was sent before the read came proves that the leader led then, not that
# it leads now.  Rounds have numbers, and an answer carries the number of its round.  Reads that come
# while a round is under way wait for the next one, all together.
nodes 3
quiet campaign 1; quiet stabilize
tick 1 50
deliver 1>2
    1>2 append term 2 prev 2.2 commit 2 round 2
hold early 2>1
    2>1 append-reply term 2 has 2.2 round 2: held
quiet drop
# The echo of round 2 is under way when the read is asked for.
read 1
release early
deliver 2>1
    2>1 append-reply term 2 has 2.2 round 2
expect read 1 waits
read 1
deliver 1>2
    1>2 append term 2 prev 2.2 commit 2 round 3
deliver 2>1
    2>1 append-reply term 2 has 2.2 round 3
    1: read 1 granted at 2
expect read 1 granted
expect read 2 waits
stabilize
    1>2 append term 2 prev 2.2 commit 2 round 4
    1>3 append term 2 prev 2.2 commit 2 round 3
    1>3 append term 2 prev 2.2 commit 2 round 4
    2>1 append-reply term 2 has 2.2 round 4
    1: read 2 granted at 2
    3>1 append-reply term 2 has 2.2 round 3
    3>1 append-reply term 2 has 2.2 round 4
expect read 2 granted
