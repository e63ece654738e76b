# How to read these stories.  Each begins with what could go wrong and what we do about it.  A line
# that begins with four spaces is what came of the command above it: `1>2 append ...` is a message
# that arrives, `2: ...` is what node 2 does.  5.2 is index 5, term 2.  What a node writes is on its
# disk only once it is persisted; `stabilize` persists and delivers until nothing moves.
nodes 3
status
    1: follower term 1 vote 0 commit 0 log 1
    2: follower term 1 vote 0 commit 0 log 1
    3: follower term 1 vote 0 commit 0 log 1

# Node 1 asks first whether it would win (pre-vote), then it writes its vote for itself, then it asks.
campaign 1
    1: precandidate, term 1
queue
    1>2 prevote term 2 last 1.1
    1>3 prevote term 2 last 1.1
stabilize
    1>2 prevote term 2 last 1.1
    1>3 prevote term 2 last 1.1
    2>1 prevote-reply term 2 yes
    1: candidate, term 2
    1: writes term 2 vote 1
    3>1 prevote-reply term 2 yes
    1: dropped: stale
    1>2 vote term 2 last 1.1
    2: follower, term 2
    2: writes term 2 vote 1
    1>3 vote term 2 last 1.1
    3: follower, term 2
    3: writes term 2 vote 1
    2>1 vote-reply term 2 yes
    1: leader, term 2
    1: writes 2.2
    3>1 vote-reply term 2 yes
    1: dropped: stale
    1>2 append term 2 prev 1.1 entries 2.2 commit 0 round 1
    2: follower, term 2, leader 1
    2: writes 2.2
    1>3 append term 2 prev 1.1 entries 2.2 commit 0 round 1
    3: follower, term 2, leader 1
    3: writes 2.2
    2>1 append-reply term 2 has 1.1 round 1
    3>1 append-reply term 2 has 1.1 round 1
    2>1 append-reply term 2 has 2.2
    1: applies 1.1 (conf)
    1: applies 2.2 (noop)
    3>1 append-reply term 2 has 2.2
    1>2 append term 2 prev 2.2 commit 2
    2: applies 1.1 (conf)
    2: applies 2.2 (noop)
    1>3 append term 2 prev 2.2 commit 2
    3: applies 1.1 (conf)
    3: applies 2.2 (noop)

# A write leaves for the others before it is on the leader's own disk, and counts when two have it.
propose 1 x
    1: writes 3.2
queue
    1>2 append term 2 prev 2.2 entries 3.2 commit 2
    1>3 append term 2 prev 2.2 entries 3.2 commit 2
deliver 1>2
    1>2 append term 2 prev 2.2 entries 3.2 commit 2
    2: writes 3.2
persist 2
deliver 2>1
    2>1 append-reply term 2 has 3.2
expect 1 commit 2
persist 1
    1: applies 3.2 x
expect 1 commit 3
stabilize
    1>2 append term 2 prev 3.2 commit 3
    2: applies 3.2 x
    1>3 append term 2 prev 2.2 entries 3.2 commit 2
    3: writes 3.2
    3>1 append-reply term 2 has 3.2
    1>3 append term 2 prev 3.2 commit 3
    3: applies 3.2 x
expect agree
expect 1 applied x

# A read costs a round of heartbeats, and none of the disk.
read 2
stabilize
    2>1 read term 2
    1>2 append term 2 prev 3.2 commit 3 round 2
    1>3 append term 2 prev 3.2 commit 3 round 2
    2>1 append-reply term 2 has 3.2 round 2
    3>1 append-reply term 2 has 3.2 round 2
    1>2 read-reply term 2 index 3
    2: read 1 granted at 3
expect read 1 granted
