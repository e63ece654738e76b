# jraft #1: after a restart the configuration was that of the commit index, which is not the one that
# counts.  It is the last one in the log, committed or not.
nodes 3
quiet campaign 1; quiet stabilize
change 1 remove 3
    1: members 1 2 (3) and before 1 2 3
    1: writes 3.2
quiet deliver 1>2; quiet persist 2; quiet drop
expect 2 conf 1 2 (3) and before 1 2 3
crash 2; restart 2
expect 2 conf 1 2 (3) and before 1 2 3
