# A follower with a long tail of its own, and a leader that backs up one entry a round: thousands of
# round trips (paper, end of 5.3; etcd's findConflictByTerm).  The answer names the last point that
# the two may share by its term, and the leader looks for it in its own log in the same way.
nodes 5
quiet campaign 1; quiet stabilize
# Node 1 has a tail of ten entries of term 2.
quiet propose 1 a b c d e f g h i j
quiet persist 1; quiet drop; crash 1
# Node 3 has ten of term 3.
quiet tick 4 300; quiet tick 5 300; quiet campaign 3; quiet stabilize
quiet propose 3 k l m n o p q r s; quiet stabilize
restart 1
expect 1 log 1 2 2 2 2 2 2 2 2 2 2 2
expect 3 log 1 2 3 3 3 3 3 3 3 3 3 3

# One refusal, and the next message fits.
tick 3 50
deliver 3>1; quiet persist 1
    3>1 append term 3 prev 2.2 commit 2 round 2
    1: follower, term 3, leader 3
    1: writes term 3
    1: applies 1.1 (conf)
    1: applies 2.2 (noop)
quiet stabilize 4 5; deliver 1>3
    1>3 append-reply term 3 has 2.2 round 2
deliver 3>1
    3>1 append term 3 prev 3.3 entries 4.3 5.3 6.3 7.3 8.3 9.3 10.3 11.3 12.3 commit 12
deliver 1>3
    1>3 append-reply term 3 no, try 3.2
deliver 3>1
    3>1 append term 3 prev 2.2 entries 3.3 4.3 5.3 6.3 7.3 8.3 9.3 10.3 11.3 12.3 commit 12
    1: writes cut-from 3 3.3 4.3 5.3 6.3 7.3 8.3 9.3 10.3 11.3 12.3
    1: applies 3.3 (noop)
    1: applies 4.3 k
    1: applies 5.3 l
    1: applies 6.3 m
    1: applies 7.3 n
    1: applies 8.3 o
    1: applies 9.3 p
    1: applies 10.3 q
    1: applies 11.3 r
    1: applies 12.3 s
expect 1 last 12.3
