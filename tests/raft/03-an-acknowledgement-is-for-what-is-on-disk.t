# tikv #994: a follower acknowledged entries before its sync, crashed, and was then part of a
# majority that did not have them.  A follower answers for its own entries when they are durable and
# not before, and the leader counts itself by the same rule; what it may do before its own disk has
# an entry is send it (thesis, 10.2.1).
nodes 3
quiet campaign 1; quiet stabilize
propose 1 x
    1: writes 3.2
quiet drop 1>3

# The follower has it in memory: it says nothing, and after a crash it has nothing.
deliver 1>2
    1>2 append term 2 prev 2.2 entries 3.2 commit 2
    2: writes 3.2
queue
crash 2
    2: 1 unsynced writes are lost
expect 2 on-disk 2 1 2.2
restart 2

# The leader's own disk has it; that is one of three.
persist 1
expect 1 commit 2
quiet tick 1 50
quiet drop 1>3
quiet stabilize
expect 1 commit 3
expect 2 has x
