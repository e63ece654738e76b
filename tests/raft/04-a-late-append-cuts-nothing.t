# A message that comes late and says less than is known must not shorten the log: the follower may
# have acknowledged what it would cut (paper, 5.3, "if an existing entry conflicts"; textbook code
# that always truncates loses acknowledged writes).  Only a conflict of terms cuts, and never at or
# below the commit index.
nodes 3
quiet campaign 1; quiet stabilize
propose 1 a
    1: writes 3.2
hold late 1>2 append
    1>2 append term 2 prev 2.2 entries 3.2 commit 2: held
quiet release late; quiet stabilize
propose 1 b c
    1: writes 4.2 5.2
stabilize
    1>2 append term 2 prev 3.2 entries 4.2 5.2 commit 3
    2: writes 4.2 5.2
    1>3 append term 2 prev 3.2 entries 4.2 5.2 commit 3
    3: writes 4.2 5.2
    2>1 append-reply term 2 has 5.2
    1: applies 4.2 b
    1: applies 5.2 c
    3>1 append-reply term 2 has 5.2
    1>2 append term 2 prev 5.2 commit 5
    2: applies 4.2 b
    2: applies 5.2 c
    1>3 append term 2 prev 5.2 commit 5
    3: applies 4.2 b
    3: applies 5.2 c
expect 2 log 1 2 2 2 2
release late
deliver 1>2
    1>2 append term 2 prev 2.2 entries 3.2 commit 2
expect 2 log 1 2 2 2 2
expect 2 commit 5
expect 2 has c
