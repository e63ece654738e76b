# canonical/raft #191: entries were appended, and committed, while a snapshot was being installed, so
# that the log and the state machine stood at different points.  From the last chunk until the state
# machine has it nothing is taken; what is lost comes again.
nodes 3 trailing=1
quiet campaign 1; quiet stabilize
quiet cut 3
quiet propose 1 a b c; quiet stabilize; quiet beat 1 8
quiet snapshot 1
quiet heal
quiet tick 1 50; quiet stabilize 1; quiet deliver 1>3 append; quiet deliver 3>1 append-reply
deliver 1>3 snapshot
    1>3 snapshot term 2 of 5.2 bytes 0..18 of 18
forge append from=1 to=3 term=2 index=2 at-term=2 entry-term=2 commit=3
    1>3 append term 2 prev 2.2 entries 3.2 commit 3, forged
expect 3 commit 2
expect 3 last 2.2
persist 3
    3: loads snapshot 5.2
    3: writes begin-behind 5.2
    3: log begins behind 5
expect 3 last 5.2
expect 3 commit 5
quiet stabilize
propose 1 d; quiet stabilize
    1: writes 6.2
expect agree
