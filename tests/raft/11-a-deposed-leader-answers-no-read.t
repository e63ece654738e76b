# A leader that was cut off does not know that there is another one.  If it read what it has, it would
# miss what the other has acknowledged.  A majority has to confirm, after the read was asked for,
# that it still follows.
nodes 3
quiet campaign 1; quiet stabilize
quiet cut 1
quiet tick 3 300; quiet campaign 2; quiet stabilize 2 3
propose 2 y; quiet stabilize 2 3
    2: writes 4.3
expect 2 commit 4
expect 1 role leader
read 1
quiet stabilize 1
expect read 1 waits
quiet tick 1 300
expect read 1 refused
