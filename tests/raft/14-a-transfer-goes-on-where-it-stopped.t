# A snapshot goes in chunks, each with the point, the sum and the offset, so that chunks of two
# snapshots are never mixed.  A chunk that is lost costs itself, not all: after a silence the leader
# asks how much is there, and goes on from that byte.
nodes 3 chunk=8 trailing=1
quiet campaign 1; quiet stabilize
quiet cut 3
quiet propose 1 aaaa bbbb cccc dddd; quiet stabilize; quiet beat 1 8
quiet snapshot 1
quiet heal
quiet tick 1 50; quiet stabilize 1; quiet deliver 1>3 append; quiet deliver 3>1 append-reply
expect 1 peer 3 snapshot
# The first chunk asks how much of it is there.
deliver 1>3 snapshot
    1>3 snapshot term 2 of 6.2 bytes 0..8 of 36
persist 3
deliver 3>1
    3>1 snapshot-reply term 2 of 6.2 has 8 bytes
# The others are lost.
drop 1>3 snapshot
    1>3 snapshot term 2 of 6.2 bytes 8..16 of 36: lost
    1>3 snapshot term 2 of 6.2 bytes 16..24 of 36: lost
    1>3 snapshot term 2 of 6.2 bytes 24..32 of 36: lost
    1>3 snapshot term 2 of 6.2 bytes 32..36 of 36: lost
quiet tick 1 100; quiet stabilize 1 2; quiet drop 1>3
quiet tick 1 100; quiet stabilize 1 2; quiet drop 1>3
tick 1 100
deliver 1>3 snapshot
    1>3 snapshot term 2 of 6.2 bytes 8..16 of 36
persist 3; quiet deliver 1>2; quiet deliver 1>3; quiet stabilize 2; quiet deliver 2>1
deliver 3>1
    3>1 snapshot-reply term 2 of 6.2 has 16 bytes
    3>1 append-reply term 2 has 2.2 round 15
    3>1 append-reply term 2 has 2.2 round 16
stabilize
    1>3 snapshot term 2 of 6.2 bytes 16..24 of 36
    1>3 snapshot term 2 of 6.2 bytes 24..32 of 36
    1>3 snapshot term 2 of 6.2 bytes 32..36 of 36
    3: loads snapshot 6.2
    3: writes begin-behind 6.2
    3: log begins behind 6
    3>1 snapshot-reply term 2 of 6.2 has 24 bytes
    3>1 snapshot-reply term 2 of 6.2 has 32 bytes
    3>1 snapshot-reply term 2 of 6.2 installed
    1>3 append term 2 prev 6.2 commit 6 round 16
    3>1 append-reply term 2 has 6.2 round 16
expect 3 applied aaaa bbbb cccc dddd
expect 1 peer 3 replicate
