# Check-quorum (thesis, 6.2): a leader that hears from no majority for an election timeout cannot
# know that it still leads.  It says so to its clients instead of keeping them waiting.
nodes 3
quiet campaign 1; quiet stabilize
quiet cut 1
quiet tick 1 250
expect 1 role leader
tick 1 50
    1: follower, term 2
expect 1 role follower
propose 1 x
    1: not the leader
expect said not the leader
