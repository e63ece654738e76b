# Asking whether one would win must change nothing.  canonical/raft #196: the pre-vote code reset the
# vote of the term, so that a node voted twice in it; and answers to the one question were taken for
# answers to the other.  Here the two have types of their own, an answer has the number of the
# question, and a node that says it would vote has written nothing.
nodes 3
quiet campaign 1; quiet deliver prevote; quiet deliver prevote-reply; quiet persist 1
deliver 1>3 vote
    1>3 vote term 2 last 1.1
    3: follower, term 2
    3: writes term 2 vote 1
persist 3
quiet drop 3>1; quiet drop 1>2; quiet crash 1
expect 3 vote 1

# Node 3 would vote for 2 in term 2, if it had not voted; in term 3 it would.  Nothing of it changes.
campaign 2; deliver 2>3 prevote
    2: precandidate, term 1
    2>3 prevote term 2 last 1.1
expect 3 vote 1
expect 3 on-disk 2 1 1.1
deliver 3>2
    3>2 prevote-reply term 2 no
    2: follower, term 2
    2: writes term 2
campaign 2; deliver 2>3 prevote
    2: precandidate, term 2
    2>3 prevote term 3 last 1.1
expect 3 vote 1
expect 3 term 2
expect 3 on-disk 2 1 1.1

# The answer comes twice.  The second one is to a question that is over: it is no vote.
hold again 3>2 prevote-reply
    3>2 prevote-reply term 3 yes: held
quiet release again; deliver 3>2 prevote-reply
    3>2 prevote-reply term 3 yes
    2: candidate, term 3
    2: writes term 3 vote 2
expect 2 role candidate
quiet persist 2
quiet release again; deliver 3>2 prevote-reply
    3>2 prevote-reply term 3 yes
    2: dropped: stale
expect said stale
expect 2 role candidate
