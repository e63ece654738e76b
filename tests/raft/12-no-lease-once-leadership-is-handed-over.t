# etcd-io/raft #99: with lease reads, a transfer elects another leader while the lease of the old one
# runs: the forced election passes the stickiness that the lease counts on.  From the first transfer
# of a term on there is no lease in it; reads take a round again.
nodes 3 lease=1
quiet campaign 1; quiet stabilize
quiet tick 1 50; quiet stabilize
read 1
    1: read 1 granted at 2
expect read 1 granted
transfer 1 2
read 1
expect read 2 waits
quiet hold word 1>2 timeout-now; quiet cut 1-2
# The word is late; the transfer is given up after an election timeout, and still there is no lease.
quiet beat 1 6
expect 1 leader 1
quiet heal; quiet stabilize; quiet tick 1 50; quiet stabilize
read 1
expect read 3 waits
# And well so: the word arrives, and node 3 votes although it hears leader 1.
quiet drop
release word; deliver timeout-now
    1>2 timeout-now term 2
    2: candidate, term 3
    2: writes term 3 vote 2
quiet cut 1
stabilize 2 3
    2>3 vote term 3 last 2.2 forced
    3: follower, term 3
    3: writes term 3 vote 2
    3>2 vote-reply term 3 yes
    2: leader, term 3
    2: writes 3.3
    2>3 append term 3 prev 2.2 entries 3.3 commit 2 round 1
    3: follower, term 3, leader 2
    3: writes 3.3
    3>2 append-reply term 3 has 2.2 round 1
    3>2 append-reply term 3 has 3.3
    2: applies 3.3 (noop)
    2>3 append term 3 prev 3.3 commit 3
    3: applies 3.3 (noop)
expect 2 role leader
expect read 3 waits
