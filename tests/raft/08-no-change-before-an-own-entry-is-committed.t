# Ongaro's own correction (raft-dev, 2015): a new leader that changes the members before anything of
# its term is committed may do so beside a change of the leader before it, and the two have
# majorities that do not meet (openraft #2051, AxonIQ #120; hashicorp's configurationChangeChIfStable).
# The answer is "not yet", and nothing is done.
nodes 3
quiet campaign 1; quiet stabilize
quiet tick 3 300
quiet campaign 2; quiet deliver prevote; quiet deliver prevote-reply; quiet persist 2
quiet deliver vote; quiet persist 3; quiet deliver 3>2
expect 2 role leader
expect 2 commit 2
change 2 remove 3
    2: not yet
expect said not yet
expect 2 conf 1 2 3
quiet stabilize
change 2 remove 3
    2: members 1 2 (3) and before 1 2 3
    2: writes 4.3
expect 2 conf 1 2 (3) and before 1 2 3
