# Who lacks a committed entry must not be elected (paper, 5.4.1).  The term of the last entry counts
# first, then the index: a long log of an old term is worth less than a short one of a newer.
nodes 3
quiet campaign 1; quiet stabilize
# Node 3 lacks x, which is committed.
quiet cut 3
propose 1 x; quiet stabilize
    1: writes 3.2
expect 1 commit 3
# And node 1 has some more that nobody else gets.
propose 1 y y y; quiet persist 1; quiet drop
    1: writes 4.2 5.2 6.2
crash 1; quiet heal
quiet tick 2 300; quiet campaign 3; stabilize 2 3
    3>2 prevote term 3 last 2.2
    2>3 prevote-reply term 2 no
expect no-leader
quiet tick 3 300; quiet campaign 2; quiet stabilize 2 3
expect leader 2

# Node 1 is back with more entries, of the older term: it is refused as well.
restart 1
expect 1 last 6.2
expect 2 last 4.3
quiet tick 2 300; quiet tick 3 300; quiet tick 2 300; quiet tick 3 300; quiet drop
campaign 1; stabilize
    1: precandidate, term 2
    1>2 prevote term 3 last 6.2
    1>3 prevote term 3 last 6.2
    2>1 prevote-reply term 3 no
    1: follower, term 3
    1: writes term 3
    3>1 prevote-reply term 3 no
    1: dropped: stale
expect 1 role follower
campaign 1; stabilize
    1: precandidate, term 3
    1>2 prevote term 4 last 6.2
    1>3 prevote term 4 last 6.2
    2>1 prevote-reply term 3 no
    3>1 prevote-reply term 3 no
    1: follower, term 3
expect 1 role follower
expect 1 term 3
