/*
 * evlog_slots: the order in which a run keeps the slots of a table, told without lib/evlog.
 */
#ifndef SHOAL_TESTS_LIB_EVLOG_SLOTS_H
#define SHOAL_TESTS_LIB_EVLOG_SLOTS_H

/* For qsort() of struct active_slot: by key, then by sequence. */
int slots_compare(const void *x, const void *y);

#endif
