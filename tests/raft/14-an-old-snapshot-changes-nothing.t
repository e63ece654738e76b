# A snapshot that comes late, of a point below the commit index, would take the state machine back.
# It is answered as installed, which is what the leader needs to know, and nothing else happens.
nodes 3 trailing=1
quiet campaign 1; quiet stabilize
quiet cut 3
quiet propose 1 a b c; quiet stabilize; quiet beat 1 8
quiet snapshot 1
expect 1 log 2
heal
quiet tick 1 50; quiet stabilize 1; quiet deliver 1>3 append; quiet deliver 3>1
hold late 1>3 snapshot
    1>3 snapshot term 2 of 5.2 bytes 0..18 of 18: held
quiet release late; quiet stabilize
expect 3 applied a b c
quiet propose 1 d; quiet stabilize
expect 3 commit 6
release late
deliver 1>3
    1>3 snapshot term 2 of 5.2 bytes 0..18 of 18
deliver 3>1
    3>1 snapshot-reply term 2 of 5.2 installed
    1: dropped: stale
expect 3 commit 6
expect 3 applied a b c d
