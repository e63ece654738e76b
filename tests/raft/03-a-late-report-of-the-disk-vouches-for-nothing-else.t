# etcd-io/raft, async_storage_writes_append_aba_race: an entry is written, overwritten by another
# leader's at the same index, and then the report of the first write comes.  An acknowledgement by
# index alone would vouch for an entry that is not on disk.  Writes have numbers here, and where the
# log is cut the ends of all writes under way are lowered.
nodes 5
quiet campaign 1; quiet stabilize
# Leader 1 gets 3.2 to node 2, whose disk is slow, and is then cut off.
propose 1 a
    1: writes 3.2
deliver 1>2
    1>2 append term 2 prev 2.2 entries 3.2 commit 2
    2: writes 3.2
quiet drop; quiet cut 1
# Leader 3 has another entry at index 3, and sends it to node 2.
quiet tick 2 300; quiet tick 4 300; quiet tick 5 300; quiet hang 2
quiet campaign 3; quiet stabilize 3 4 5; quiet deliver 3>2
expect leader 3
expect 2 log 1 2 3

# The first write of node 2 is durable now: it was of 3.2, and says nothing about 3.3.
persist 2 1
queue
    3>1 prevote term 3 last 2.2
    3>1 vote term 3 last 2.2
    3>1 append term 3 prev 2.2 entries 3.3 commit 2 round 1
    2>3 prevote-reply term 2 no
    2>3 vote-reply term 3 no
expect 2 durable 2
# The later ones are.
persist 2
queue
    3>1 prevote term 3 last 2.2
    3>1 vote term 3 last 2.2
    3>1 append term 3 prev 2.2 entries 3.3 commit 2 round 1
    2>3 prevote-reply term 2 no
    2>3 vote-reply term 3 no
    2>3 append-reply term 3 has 2.2 round 1
    2>3 append-reply term 3 has 3.3
quiet stabilize
expect 2 durable 3
