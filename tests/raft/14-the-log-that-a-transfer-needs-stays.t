# hashicorp #212: while a snapshot was sent the leader took another one and cut the log behind it, so
# that the follower needed the next snapshot when it had loaded the first, for ever.  The log stays
# from the point that is being sent, and from what a live follower has.
nodes 3 trailing=1
quiet campaign 1; quiet stabilize
quiet cut 3
quiet propose 1 a b c; quiet stabilize; quiet beat 1 8
quiet snapshot 1
quiet heal
quiet tick 1 50; quiet stabilize 1; quiet deliver 1>3 append; quiet deliver 3>1 append-reply
expect 1 peer 3 snapshot
quiet hold chunk 1>3 snapshot
propose 1 d e f; quiet stabilize 1 2
    1: writes 6.2 7.2 8.2
snapshot 1
    1: takes snapshot 8.2
    1: log begins behind 5
expect 1 log 2 2 2
# The first snapshot arrives: what follows it is in the log.
release chunk
deliver 1>3 snapshot
    1>3 snapshot term 2 of 5.2 bytes 0..18 of 18
persist 3
    3: loads snapshot 5.2
    3: writes begin-behind 5.2
    3: log begins behind 5
expect 3 last 5.2
stabilize
    3>1 snapshot-reply term 2 of 5.2 installed
    1>3 append term 2 prev 5.2 entries 6.2 7.2 8.2 commit 8
    3: writes 6.2 7.2 8.2
    3: applies 6.2 d
    3: applies 7.2 e
    3: applies 8.2 f
    3>1 append-reply term 2 has 5.2
    3>1 append-reply term 2 has 8.2
expect agree
