# The leader sends before its own disk has the entry.  Then it is one copy less: with one of two
# followers the entry is not committed, with both of them it is, and the leader may crash and
# have less than the others.
nodes 3
quiet campaign 1; quiet stabilize
hang 1
propose 1 x
    1: writes 3.2
stabilize
    1>2 append term 2 prev 2.2 entries 3.2 commit 2
    2: writes 3.2
    1>3 append term 2 prev 2.2 entries 3.2 commit 2
    3: writes 3.2
    2>1 append-reply term 2 has 3.2
    3>1 append-reply term 2 has 3.2
    1: applies 3.2 x
    1>2 append term 2 prev 3.2 commit 3
    2: applies 3.2 x
    1>3 append term 2 prev 3.2 commit 3
    3: applies 3.2 x
expect 1 commit 3
expect 1 on-disk 2 1 2.2

propose 1 y
    1: writes 4.2
drop 1>3
    1>3 append term 2 prev 3.2 entries 4.2 commit 3: lost
deliver 1>2
    1>2 append term 2 prev 3.2 entries 4.2 commit 3
    2: writes 4.2
persist 2
deliver 2>1
    2>1 append-reply term 2 has 4.2
expect 1 commit 3

# It crashes without x and y on its disk.  The others have x, and one of them y.
crash 1
    1: 2 unsynced writes are lost
quiet tick 3 300; quiet campaign 2; quiet stabilize 2 3
expect leader 2
restart 1
quiet tick 2 50; quiet stabilize
expect agree
expect 1 applied x y
