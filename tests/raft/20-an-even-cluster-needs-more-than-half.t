# Two of four are no majority: two halves, each with half, would both be one.  A commit needs three of
# four, and so does an election; a fourth node makes the cluster no safer than three.
nodes 4
quiet cut 1-3 1-4 2-3 2-4
quiet campaign 1; quiet stabilize
quiet campaign 3; quiet stabilize
expect no-leader
expect 1 term 1
quiet heal; quiet campaign 1; quiet stabilize
expect leader 1
quiet cut 1-3 1-4 2-3 2-4
propose 1 x; quiet stabilize
    1: writes 3.2
expect 1 commit 2
expect 2 last 3.2
