# cowsql #150, thesis 4.2.2: a server that is not in its own latest configuration may be needed.  Here
# node 3 alone knows of the end of the change that makes it one of two; node 4, new, has nothing yet
# and would refuse to vote as a stranger.  It votes for whoever asks and has the log for it.
nodes 1
quiet campaign 1; quiet stabilize
node 2
change 1 add 2
    1: members 1 (2)
    1: writes 3.2
quiet stabilize
change 1 promote 2
    1: members 1 2 and before 1
    1: writes 4.2
stabilize 1
expect 1 conf 1 2 and before 1

# Node 2 has been told nothing: to itself it is a learner.  Node 1 needs its vote all the same.
crash 1; quiet drop; restart 1
expect 2 conf 1 (2)
quiet tick 2 300
campaign 1; stabilize
    1: precandidate, term 2
    1>2 prevote term 3 last 4.2
    2>1 prevote-reply term 3 yes
    1: candidate, term 3
    1: writes term 3 vote 1
    1>2 vote term 3 last 4.2
    2: follower, term 3
    2: writes term 3 vote 1
    2>1 vote-reply term 3 yes
    1: leader, term 3
    1: writes 5.3
    1>2 append term 3 prev 4.2 entries 5.3 commit 0 round 1
    2: follower, term 3, leader 1
    2>1 append-reply term 3 no, try 3.2 round 1
    1>2 append term 3 prev 3.2 entries 4.2 5.3 commit 0
    2: members 1 2 and before 1
    2: writes 4.2 5.3
    2>1 append-reply term 3 has 3.2
    2>1 append-reply term 3 has 5.3
    1: members 1 2
    1: writes 6.3
    1: applies 1.1 (conf)
    1: applies 2.2 (noop)
    1: applies 3.2 (conf)
    1: applies 4.2 (conf)
    1: applies 5.3 (noop)
    1>2 append term 3 prev 5.3 entries 6.3 commit 5
    2: members 1 2
    2: writes 6.3
    2: applies 4.2 (conf)
    2: applies 5.3 (noop)
    2>1 append-reply term 3 has 6.3
    1: applies 6.3 (conf)
    1>2 append term 3 prev 6.3 commit 6
    2: applies 6.3 (conf)
expect leader 1
expect 2 conf 1 2
