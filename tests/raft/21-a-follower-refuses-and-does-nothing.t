# A follower that forwards a write and loses the answer does not know what became of it, and a blind
# second try does it twice.  The core forwards no write: it says that it does not lead, who does, and
# nothing was done.  (A read is forwarded: asking twice is harmless.)
nodes 3
quiet campaign 1; quiet stabilize
propose 2 x
    2: not the leader
expect said not the leader
expect 2 leader 1
expect 2 last 2.2
queue
change 2 add 4
    2: not the leader
expect said not the leader
transfer 2 3
    2: not the leader
expect said not the leader
read 2
stabilize
    2>1 read term 2
    1>2 append term 2 prev 2.2 commit 2 round 2
    1>3 append term 2 prev 2.2 commit 2 round 2
    2>1 append-reply term 2 has 2.2 round 2
    3>1 append-reply term 2 has 2.2 round 2
    1>2 read-reply term 2 index 2
    2: read 1 granted at 2
expect read 1 granted
