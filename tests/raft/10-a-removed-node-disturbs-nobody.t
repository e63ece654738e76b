# hashicorp #524: a node that was demoted, and never heard of it, kept unsettling the leader.  The
# others hear a leader and do not listen to it, so that its term stays where it was; and the leader
# goes on telling it for a while, until it knows.
nodes 4
quiet campaign 1; quiet stabilize
quiet cut 4
change 1 remove 4
    1: members 1 2 3 (4) and before 1 2 3 4
    1: writes 3.2
quiet stabilize
expect 1 conf 1 2 3
quiet heal; quiet tick 1 50; quiet stabilize 1 2 3; quiet drop >4
expect 4 conf 1 2 3 4
campaign 4
    4: precandidate, term 2
stabilize
    4>1 prevote term 3 last 2.2
    1: dropped: the leader lives
    4>2 prevote term 3 last 2.2
    2: dropped: the leader lives
    4>3 prevote term 3 last 2.2
    3: dropped: the leader lives
expect leader 1
expect 1 term 2

# Once it has heard, it does not even ask.
quiet beat 1 3
expect 4 conf 1 2 3
campaign 4
    4: follower, term 2
expect 4 role follower
