# Two nodes that always time out together split each election (paper, 5.2).  A timeout is drawn anew
# for each election, between one and two times the election timeout; here both ask at the same
# time, each votes for itself, and then one of them is first.
nodes 2
campaign 1; campaign 2
    1: precandidate, term 1
    2: precandidate, term 1
stabilize
    2>1 prevote term 2 last 1.1
    1>2 prevote term 2 last 1.1
    1>2 prevote-reply term 2 yes
    2: candidate, term 2
    2: writes term 2 vote 2
    2>1 prevote-reply term 2 yes
    1: candidate, term 2
    1: writes term 2 vote 1
    2>1 vote term 2 last 1.1
    1>2 vote-reply term 2 no
    2: follower, term 2
    1>2 vote term 2 last 1.1
    2>1 vote-reply term 2 no
    1: follower, term 2
expect 1 term 2
expect 2 term 2
expect no-leader
quiet pass 600
expect agree
expect 1 term 3
