# A voter without the log raises the number of copies that a write needs and holds none (thesis, 4.2.1):
# with one of three nodes slow and one new, nothing is committed for as long as the new one reads.  So
# a member is a learner first; it may not be made a voter before its log is there, and on its disk.
nodes 2
quiet campaign 1; quiet stabilize
quiet propose 1 a b c; quiet stabilize
node 3
change 1 add 3
    1: members 1 2 (3)
    1: writes 6.2
quiet stabilize 1 2
change 1 promote 3
    1: a learner is behind
expect said a learner is behind

# In memory is not enough.
quiet hang 3; quiet stabilize
expect 3 last 6.2
expect 3 on-disk 0 0 0.0
change 1 promote 3
    1: a learner is behind
expect said a learner is behind
unhang 3
quiet stabilize
change 1 promote 3
    1: members 1 2 3 and before 1 2
    1: writes 7.2
quiet stabilize
expect 1 conf 1 2 3
