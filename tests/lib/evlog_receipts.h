/*
 * evlog_receipts: writers of a crash program keep the receipts of their commits in files, which
 * outlive them: "receipts.WRITER" in the program's directory (crash.h), which also says what is
 * wrong.
 */
#ifndef SHOAL_TESTS_LIB_EVLOG_RECEIPTS_H
#define SHOAL_TESTS_LIB_EVLOG_RECEIPTS_H

#include "evlog_check.h"

/* A descriptor to add to a writer's file.  Half a receipt, which it was killed in, is cut off. */
int receipts_open(unsigned writer);

/* Add those of a commit that is on disk. */
void receipts_write(int fd, const struct commit *c);

/* Those of the writers 0 to count - 1. */
void receipts_read(struct acks *a, unsigned count);

#endif
