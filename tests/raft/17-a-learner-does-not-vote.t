# A learner has the log and counts for nothing: neither for a commit nor in an election, and it never
# stands for one itself.
nodes 2
quiet campaign 1; quiet stabilize
node 3
change 1 add 3
    1: members 1 2 (3)
    1: writes 3.2
quiet stabilize
expect 3 conf 1 2 (3)
quiet cut 2
propose 1 x; quiet stabilize
    1: writes 4.2
expect 3 last 4.2
expect 1 commit 3
tick 3 3000
    3: follower, term 2
expect 3 role follower
