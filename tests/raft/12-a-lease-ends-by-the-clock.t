# A process that was stopped and goes on does not notice that its lease is over (etcd #20418).  The
# clock it is asked by runs meanwhile, and the lease counts from when the confirmed heartbeat was
# *sent*, less what a faster clock elsewhere makes of it (drift, in millionths).
nodes 3 lease=1 drift=100000
quiet campaign 1; quiet stabilize
tick 1 50
quiet stabilize
# 300 ms less a tenth: it holds for 269 ms, and not for 271.
quiet cut 1
quiet tick 1 269
read 1
    1: read 1 granted at 2
expect read 1 granted
quiet tick 1 2
read 1
expect read 2 waits
