# The same with a vote that is on disk: after the restart it is still given.  A second candidate of
# the term is refused; the first one, which asks again because the answer was lost, gets it again.
nodes 3
quiet campaign 1; quiet campaign 2
quiet deliver prevote; quiet deliver prevote-reply
quiet persist 1; quiet persist 2
quiet hold first 1>3 vote
quiet hold second 2>3 vote
quiet release first
deliver 1>3 vote
    1>3 vote term 2 last 1.1
    3: follower, term 2
    3: writes term 2 vote 1
persist 3
drop 3>1
    3>1 vote-reply term 2 yes: lost
crash 3
expect 3 on-disk 2 1 1.1
restart 3
quiet tick 3 300
quiet release second
deliver 2>3 vote
    2>3 vote term 2 last 1.1
queue
    1>2 vote term 2 last 1.1
    1>3 vote term 2 last 1.1, held: first
    2>1 vote term 2 last 1.1
    2>3 vote term 2 last 1.1, held: second
    3>2 vote-reply term 2 no
quiet deliver 3>2
expect 2 role candidate
quiet release first
deliver 1>3 vote
    1>3 vote term 2 last 1.1
deliver 3>1
    3>1 vote-reply term 2 yes
    1: leader, term 2
    1: writes 2.2
expect leader 1
