# A process that was stopped and goes on does not notice that its lease is over (etcd #20418).  The
# clock it is asked by runs meanwhile, and the lease counts from when the confirmed heartbeat was
# *sent*, less what a faster clock elsewhere makes of it (drift, in millionths).
nodes 3 lease=1 drift=100000
quiet campaign 1; quiet stabilize
quiet beat 1 4
# A heartbeat is sent at the end of these 50 ms, and its echo takes 40 ms to come back.
quiet tick 1 50
quiet deliver 1>2; quiet deliver 1>3
quiet cut 1-3; quiet tick 1 40
quiet drop 3>1; quiet deliver 2>1
# 300 ms less a tenth, from when it was sent: 229 ms are left, and not 231.
quiet cut 1
quiet tick 1 229
read 1
    1: read 1 granted at 2
expect read 1 granted
quiet tick 1 2
read 1
expect read 2 waits
