# An address that was used again, or a copied data directory: messages of another cluster, or for
# another node, would mix two histories (etcd: "cluster ID mismatch").  Each message says which
# cluster it is of, who sent it and to whom, and what does not fit is dropped and counted.
nodes 3
quiet campaign 1; quiet stabilize
forge append cluster=8 from=1 to=2 term=9 index=2 at-term=2
    1>2 append term 9 prev 2.2 commit 0, forged
    2: dropped: of another cluster
expect said another cluster
forge append from=2 to=2 term=9 index=2 at-term=2
    2>2 append term 9 prev 2.2 commit 0, forged
    2: dropped: not for it
expect said not for it
expect 2 term 2
expect 2 leader 1
