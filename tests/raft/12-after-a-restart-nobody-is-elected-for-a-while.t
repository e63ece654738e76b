# A node that confirms a lease, crashes and is back at once has forgotten that it heard a leader.  If
# it voted, there would be a second leader inside the lease of the first.  A node that has just
# started listens to no candidate for an election timeout.
nodes 3 lease=1
quiet campaign 1; quiet stabilize
quiet tick 1 50; quiet stabilize
quiet cut 1
crash 2; restart 2
# Node 3 has heard nobody for long enough, and asks.
quiet campaign 3; deliver 3>2
    3>2 prevote term 3 last 2.2
    2: dropped: the leader lives
expect said the leader lives
read 1
    1: read 1 granted at 2
expect read 1 granted
quiet tick 2 300
quiet campaign 3; quiet stabilize
expect leader 3
