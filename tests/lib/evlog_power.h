/*
 * evlog_power: a store under record_io, for tests of what a power loss leaves of it.
 *
 * For cmocka tests, apart from the checks of images, which report by *e.
 */
#ifndef SHOAL_TESTS_LIB_EVLOG_POWER_H
#define SHOAL_TESTS_LIB_EVLOG_POWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evlog_check.h"
#include "record_io.h"

#define POWER_STORE    "store"
#define POWER_BACKUP   "backup"
#define POWER_RESTORED "restored"

struct power {
	char *root;
	char path[300], backup[300]; /* of the store, and of a backup of it */
	const struct io *io;
	struct record_io *r;
	struct record_options o;
	struct evlog *s;
	struct err e;
	struct acks acks;
};

/* ctl and what else is written through a mapping. */
bool power_is_mapped(const char *path);
void power_must(struct power *p, int r);

/* With a store that is there and holds one commit, or (segment_size 0) none yet. */
struct power power_begin(uint64_t segment_size, const char *words);
/* Record from now on; base NULL is io_os. */
void power_record(struct power *p, const struct io *base);
void power_open(struct power *p);
/* One more commit, acknowledged. */
void power_append(struct power *p, const char *words);
/* All in p->acks has been acknowledged by now. */
void power_mark(struct power *p);
/* Bring the backup up to date, and mark that: its last sequence. */
uint64_t power_back_up(struct power *p, bool copy);
/* Check all images, and clean up. */
void power_end(struct power *p, record_check *check);

/* How many of p->acks had been acknowledged when the power went. */
size_t power_acked(const struct record_image *im, size_t before);
/* The first n of acks are in the store of this name in an image. */
int power_check_in(const char *dir, const char *name, const struct acks *acks, size_t n,
                   unsigned checks, struct err *e);
/*
 * Restore the backup of an image as POWER_RESTORED, with the first *ret_acked of the acknowledged
 * events: 1, or 0 when none had been finished and what there is cannot be restored.
 */
int power_restore(const struct record_image *im, size_t *ret_acked, struct err *e);
/* For power_end(): the store holds what was acknowledged and goes on. */
int power_check(const struct record_image *im, void *arg, struct err *e);

#endif
