# In the middle of an upgrade an old node gets an entry that it cannot understand.  If it skipped it, or
# guessed, its state would differ from then on, and nobody would notice.  It stops and says why; with
# the newer program it goes on where it was.
nodes 3
quiet campaign 1; quiet stabilize
forge append from=1 to=2 term=2 index=2 at-term=2 entry-term=2 version=2
    1>2 append term 2 prev 2.2 entries 3.2 commit 0, forged
    2: stops: entry 3: version 2 of type 2 is unknown here
expect 2 down
expect 2 on-disk 2 1 2.2
forge append from=1 to=3 term=2 index=2 at-term=2 entry-term=2 type=9
    1>3 append term 2 prev 2.2 entries 3.2 commit 0, forged
    3: stops: entry 3: type 9 is unknown here
expect 3 down
