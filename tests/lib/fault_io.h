/*
 * fault_io: the failing twin of the table of I/O calls.
 *
 * The table counts every call, lets chosen ones fail, and passes the others to the table below it
 * (io_os, or a recorder's: a recorder that is passed this table as its base sees the failures as
 * the program does).  There is one table and one list of faults for the whole process; a child
 * of fork() has its own copy.  The usual loop fails each call of an operation in turn, and ends
 * when the operation gets through without meeting the fault:
 *
 *	for (unsigned n = 1;; n++) {
 *		const struct io *io = fault_io_start(&io_os);
 *
 *		fault_io_add((struct fault){.call = FAULT_ANY, .nth = n, .error = ENOSPC});
 *		r = operation(io, &e);
 *		if (fault_io_hits() == 0)
 *			break;
 *		assert_int_equal(r, -1);
 *		assert_what_holds_after_a_failure();
 *	}
 */
#ifndef SHOAL_TESTS_LIB_FAULT_IO_H
#define SHOAL_TESTS_LIB_FAULT_IO_H

#include <stdbool.h>
#include <stddef.h>

#include "os/file.h"

#define FAULTS_MAX 16

enum fault_call {
	FAULT_ANY, /* every call that changes something, so none from close on */
	FAULT_OPENAT,
	FAULT_PWRITE,
	FAULT_FTRUNCATE,
	FAULT_FALLOCATE,
	FAULT_FDATASYNC,
	FAULT_FSYNC,
	FAULT_RENAMEAT,
	FAULT_LINKAT,
	FAULT_UNLINKAT,
	FAULT_MKDIRAT,
	FAULT_CLOSE,
	FAULT_PREAD,
	FAULT_SIZE,
	FAULT_LIST,
	FAULT_LOCK,
	FAULT_CALLS /* how many there are */
};

/*
 * Which call fails, and how.  The zeroed rest is: once, without effect.  A failing close closes
 * the fd all the same, as Linux does.
 */
struct fault {
	enum fault_call call;
	unsigned nth; /* 1 is the next such call after fault_io_add(); 0 counts as 1 */
	bool always;  /* that call and all later ones */
	int error;    /* the errno; 0 only for a short write */
	bool after;   /* the call is done for real, and then reported as failed */
	/*
	 * pwrite and pread with error 0: at most this many bytes are written or read, and their
	 * number is returned.
	 * For FAULT_ANY and other calls a fault with error 0 does nothing.
	 */
	size_t short_to;
};

/* Forget all faults and counts.  Calls pass to base, which must outlive the use. */
const struct io *fault_io_start(const struct io *base);

/* Add a fault.  When several meet one call, the first one added wins. */
void fault_io_add(struct fault f);

/* Calls of a kind since fault_io_start(), failed ones too. */
unsigned fault_io_count(enum fault_call call);

/* How many calls met a fault since fault_io_start(). */
unsigned fault_io_hits(void);

/* "pwrite" */
const char *fault_io_name(enum fault_call call);

#endif
