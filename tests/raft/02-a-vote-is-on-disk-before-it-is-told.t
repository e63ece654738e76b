# A node that votes, answers and crashes before the vote is on its disk may vote again, and two
# leaders of one term lose acknowledged writes (Raft paper, figure 2: persistent state is updated
# before responding; hashicorp and etcd both write first).  Here an answer is given out only when
# term and vote are durable; the candidate's own vote counts from then on as well.
nodes 3
quiet campaign 1; quiet campaign 2
quiet deliver prevote; quiet deliver prevote-reply
expect 1 role candidate
expect 2 role candidate
expect 1 term 2
expect 2 term 2

# Their own votes are not on disk yet: they ask nobody.
queue
persist 1
persist 2
queue
    1>2 vote term 2 last 1.1
    1>3 vote term 2 last 1.1
    2>1 vote term 2 last 1.1
    2>3 vote term 2 last 1.1

# Node 3 votes for 1, and crashes before the vote is on disk.  It has told nobody.
deliver 1>3 vote
    1>3 vote term 2 last 1.1
    3: follower, term 2
    3: writes term 2 vote 1
queue
    1>2 vote term 2 last 1.1
    2>1 vote term 2 last 1.1
    2>3 vote term 2 last 1.1
crash 3
    3: 1 unsynced writes are lost
restart 3
expect 3 on-disk 1 0 1.1

# So it is free to vote for 2: only one of the two is elected.
quiet tick 3 300
deliver 2>3 vote
    2>3 vote term 2 last 1.1
    3: follower, term 2
    3: writes term 2 vote 2
persist 3
deliver 3>2
    3>2 vote-reply term 2 yes
    2: leader, term 2
    2: writes 2.2
expect leader 2
stabilize
    2>1 vote term 2 last 1.1
    2>1 append term 2 prev 1.1 entries 2.2 commit 0 round 1
    1: follower, term 2, leader 2
    1: writes 2.2
    1>2 vote term 2 last 1.1
    2: dropped: the leader lives
    1>2 vote-reply term 2 no
    2: dropped: stale
    1>2 append-reply term 2 has 1.1 round 1
    2>3 append term 2 prev 1.1 entries 2.2 commit 0 round 1
    3: follower, term 2, leader 2
    3: writes 2.2
    3>2 append-reply term 2 has 1.1 round 1
    1>2 append-reply term 2 has 2.2
    2: applies 1.1 (conf)
    2: applies 2.2 (noop)
    3>2 append-reply term 2 has 2.2
    2>3 append term 2 prev 2.2 commit 2
    3: applies 1.1 (conf)
    3: applies 2.2 (noop)
    2>1 append term 2 prev 2.2 commit 2
    1: applies 1.1 (conf)
    1: applies 2.2 (noop)
expect 1 role follower
