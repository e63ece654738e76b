# A node that hears nobody raises its term at each timeout, and when it is back the higher term deposes
# a leader that was fine (thesis, 9.6).  With pre-vote it asks first, and no term rises; with
# stickiness (4.2.3) those that hear a leader do not even answer.
nodes 3
quiet campaign 1; quiet stabilize
quiet cut 3
quiet tick 3 3000; quiet tick 3 3000; quiet drop >1; quiet drop >2
expect 3 term 2
heal
campaign 3
stabilize
    3>1 prevote term 3 last 2.2
    1: dropped: the leader lives
    3>2 prevote term 3 last 2.2
    2: dropped: the leader lives
expect leader 1
expect 1 term 2
tick 1 50; quiet stabilize
expect 3 leader 1
