# Figure 13, rule 6: where the log has the snapshot's point with its term, what follows it stays.  It
# may have been acknowledged: cutting it would take a copy away from a majority that counted it.
nodes 3
quiet campaign 1; quiet stabilize
# Node 2 has 3.2 and 4.2, and has acknowledged both; it knows of no commit behind 2.
propose 1 a; propose 1 b
    1: writes 3.2
    1: writes 4.2
deliver 1>2
    1>2 append term 2 prev 2.2 entries 3.2 commit 2
    2: writes 3.2
    1>2 append term 2 prev 3.2 entries 4.2 commit 2
    2: writes 4.2
persist 2
expect 2 log 1 2 2 2
expect 2 commit 2
# Node 3 takes a snapshot at 3.2.
quiet deliver 1>3 first=1; quiet drop 1>3; quiet persist 3; quiet persist 1
quiet deliver 3>1; quiet drop 2>1
quiet tick 1 50; quiet drop 1>2
quiet deliver 1>3; quiet deliver 3>1; quiet deliver 1>3
expect 3 commit 3
snapshot 3
    3: takes snapshot 3.2
    3: log begins behind 2

# It arrives at node 2.
forge-snapshot 3 2 1 2
    1>2 snapshot term 2 of 3.2 bytes 0..6 of 6, forged
    2: applies 3.2 a
quiet stabilize 2
expect 2 last 4.2
expect 2 commit 3
expect 2 applied a
expect 2 on-disk 2 1 4.2
