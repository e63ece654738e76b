# Whatever decides must be in the log: a limit from a configuration file, a local clock or the order of
# a hash table makes two state machines out of one.  Three nodes with other clocks, limits, timeouts
# and times of their snapshots apply the same entries, with the same stamps (the world looks at it).
nodes 3 trailing=1
quiet crash 2; quiet restart 2 entries=1 inflight=1 heartbeat=20 election=200 seed=77
quiet crash 3; quiet restart 3 entries=3 chunk=5 heartbeat=100 election=900 trailing=3
quiet tick 2 5000; quiet tick 3 1000; quiet drop
quiet campaign 1; quiet stabilize; quiet campaign 1; quiet stabilize
quiet propose 1 a b c d e f g; quiet stabilize
snapshot 2
    2: takes snapshot 9.2
    2: log begins behind 8
propose 1 h; quiet stabilize
    1: writes 10.2
transfer 1 2; quiet stabilize
expect leader 2
quiet propose 2 i j k; quiet stabilize
snapshot 3
    3: takes snapshot 14.3
    3: log begins behind 11
transfer 2 3; quiet stabilize
propose 3 l; quiet stabilize
    3: writes 16.4
expect agree
expect 1 applied a b c d e f g h i j k l
