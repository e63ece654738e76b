# A leader that was cut off goes on for a moment, not knowing that there is another one.  If its clock
# ran meanwhile, and one of its entries with that time were ever taken, sessions would expire that
# their owners had renewed elsewhere.  It counts only time in which a majority heard it, and an
# election timeout more at most.
nodes 3
quiet campaign 1; quiet stabilize
quiet beat 1 6
expect 1 clock 300
# For ten minutes it gets no turn, and nobody hears it.
quiet cut 1
sleep 1 600000
propose 1 x
    1: writes 3.2
tick 1 0
    1: follower, term 2
expect 1 role follower
expect 1 clock 600
