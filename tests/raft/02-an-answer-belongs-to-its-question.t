# An answer that comes late, to a question of the same kind and term but an earlier one, is no answer
# to the one that is asked now: what was true then need not be true now.  Each ballot has a number.
nodes 3
campaign 1
    1: precandidate, term 1
quiet drop 1>2; quiet deliver 1>3
hold late 3>1
    3>1 prevote-reply term 2 yes: held
# It gets none in time, and asks again.
quiet tick 1 600; quiet drop
expect 1 role precandidate
release late
deliver 3>1
    3>1 prevote-reply term 2 yes
    1: dropped: stale
expect said stale
expect 1 role precandidate
expect 1 term 1
