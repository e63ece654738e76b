# What has expired is decided by a clock in the log, which each leader goes on with (LogCabin).  With
# timers that begin anew at each election, locks of the dead live for ever when elections are frequent
# (etcd #9395); with wall clocks, nodes disagree (etcd #15247).  The clock never goes back, and does
# not run while nobody can renew a session.
nodes 3
quiet campaign 1; quiet stabilize
quiet beat 1 6
propose 1 x; quiet stabilize
    1: writes 3.2
expect 1 clock 300
expect 2 clock 300
# The leader is gone for a minute.
crash 1
quiet tick 3 60000; quiet drop; quiet tick 2 60000
quiet campaign 2; quiet stabilize 2 3; quiet campaign 2; quiet stabilize 2 3
expect 2 clock 350
expect 3 clock 350
quiet tick 2 100; quiet stabilize 2 3
propose 2 y; quiet stabilize 2 3
    2: writes 5.3
expect 2 clock 450
expect agree 2 3
