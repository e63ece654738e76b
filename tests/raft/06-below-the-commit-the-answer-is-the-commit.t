# An append from before the commit index is no disagreement, whatever the log still has there:
# willemt #118 and RedisLabs/raft #49 refused or appended again what a compaction had removed
# (prev_idx == 0 came once more).  What is committed counts as matching, and the answer says so.
nodes 3
quiet campaign 1
quiet deliver prevote; quiet deliver prevote-reply; quiet persist 1
quiet deliver vote; quiet persist 2; quiet persist 3; quiet deliver vote-reply
hold late 1>2 append
    1>2 append term 2 prev 1.1 entries 2.2 commit 0 round 1: held
quiet release late; quiet stabilize
quiet propose 1 a b c; quiet stabilize
snapshot 2
    2: takes snapshot 5.2
    2: log begins behind 4
expect 2 commit 5
status 2
    2: follower term 2 vote 1 commit 5 log behind 4.2 2

# The leader's very first message: prev is 1.1, which node 2 has no more.
release late
deliver 1>2
    1>2 append term 2 prev 1.1 entries 2.2 commit 0 round 1
deliver 2>1
    2>1 append-reply term 2 has 5.2 round 1
status 2
    2: follower term 2 vote 1 commit 5 log behind 4.2 2
expect 2 last 5.2
expect 1 peer 2 replicate
