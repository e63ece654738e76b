# A process that is stopped for a while (SIGSTOP, a hypervisor, a page fault on a dead disk) and goes
# on has no way to notice, but by the clock (etcd #20418): the first thing that comes may be a read.
# The clock is looked at with each event, and it runs while the machine sleeps.
nodes 3 lease=1
quiet campaign 1; quiet stabilize
quiet beat 1 2
read 1
    1: read 1 granted at 2
expect read 1 granted
# Meanwhile there is another leader.
quiet cut 1
sleep 1 5000
quiet tick 3 300; quiet campaign 2; quiet stabilize 2 3
expect 2 role leader
propose 2 x; quiet stabilize 2 3
    2: writes 4.3
read 1
expect read 2 waits
tick 1 0
    1: follower, term 2
    1: read 2 refused
expect read 2 refused
