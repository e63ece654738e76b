# A snapshot and the log that begins behind it are two files, and a crash may come between: the snapshot
# is on disk, the log is still the old one, which ends before it or contradicts it.  From these two
# a node starts as if the log had been begun anew.
nodes 3 trailing=1
quiet campaign 1; quiet stabilize
quiet cut 3
quiet propose 1 a b c; quiet stabilize; quiet beat 1 8
quiet snapshot 1
quiet heal
quiet tick 1 50; quiet stabilize 1; quiet deliver 1>3 append; quiet deliver 3>1 append-reply
deliver 1>3 snapshot
    1>3 snapshot term 2 of 5.2 bytes 0..18 of 18
persist 3 1
    3: loads snapshot 5.2
    3: writes begin-behind 5.2
    3: log begins behind 5
crash 3
    3: 1 unsynced writes are lost
expect 3 on-disk 2 1 2.2
restart 3
status 3
    3: follower term 2 vote 1 commit 5 log behind 5.2 
expect 3 commit 5
expect 3 applied a b c
quiet stabilize; quiet beat 1 8
propose 1 d; quiet stabilize
    1: writes 6.2
expect agree
crash 3; restart 3
expect 3 last 6.2
