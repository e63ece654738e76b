# A snapshot's file rots or is gone while it is being sent.  The leader does not send garbage, and
# does not try the same file for ever: it waits for the next snapshot and sends that.
nodes 3 trailing=1
quiet campaign 1; quiet stabilize
quiet cut 3
quiet propose 1 a b c; quiet stabilize; quiet beat 1 8
quiet snapshot 1
quiet heal
lose-snapshot 1
quiet tick 1 50; quiet stabilize
expect 3 last 2.2
propose 1 d; quiet stabilize 1 2
    1: writes 6.2
snapshot 1
    1: takes snapshot 6.2
    1: log begins behind 5
quiet beat 1 7
expect 3 applied a b c d
