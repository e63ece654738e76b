/*
 * record_io: every state that a power loss may leave on the disk, from one run of a program.
 *
 * The recording twin of the table of I/O calls does each call for real and notes it.  From the
 * record it builds, for each moment between two calls, directories as a disk could hold them had
 * the power gone at that moment, and gives them to a check of the caller, which opens such an
 * image as the program would after the restart and looks whether every promise made up to that
 * moment is kept.  Promises are told by marks.  An example, with the parts that matter:
 *
 *	static int check(const struct record_image *im, void *arg, struct err *e)
 *	{
 *		struct store *s = store_open(im->dir, e);
 *		int r = 0;
 *
 *		if (s == NULL)
 *			return err_wrap(e, "recover");
 *		if (record_image_marked(im, "stored 7") && !store_has(s, 7))
 *			r = err_set(e, EIO, "7 was acknowledged and is gone");
 *		store_close(s);
 *		return r;
 *	}
 *
 *	struct record_io *r = record_io_start(&(struct record_setup){.root = dir}, &io, &e);
 *	struct record_options o = RECORD_OPTIONS_DEFAULT;
 *
 *	s = store_open_with(io, dir, &e);
 *	store_put(s, 7, "x", &e);
 *	record_io_mark(r, "stored %d", 7);
 *	store_close(s);
 *	o.seed = seed;
 *	n = record_io_images(r, &o, check, NULL, &e);
 *	if (n < 0)
 *		fail_msg("%s", e.msg);
 *	record_io_free(r);
 *
 * The mark stands for the moment when somebody outside has seen the answer.  The check may change
 * the image, as recovery does.  The message names crash point, image and seed.
 *
 * A check reports by -1 and *e; it must not jump out (no cmocka assert_*() inside), or the
 * temporary directory stays behind.
 *
 * What a crash keeps
 *
 * File data.  fdatasync or fsync of a file makes its data and its size durable.  Of what was
 * written since then each 512-byte sector is new, old, or as it was between two writes, each on
 * its own; a sector beyond the old data that is lost reads as zeros.  The size is the durable
 * one, that after any later call, or a multiple of 4096 bytes inside a write that made the file
 * longer.  After a truncation that is not yet durable the file may be long again, with the rest
 * of its last 4096-byte block as it was or zero.  fallocate that keeps the size changes nothing.
 * An fdatasync or fsync that failed makes nothing durable, and what was unsynced then is lost
 * also after a later one that succeeds, in each 4096-byte page that was not written again.
 *
 * Names.  A new, renamed, linked, removed name and a new directory are durable after an fsync of
 * the directory that holds it; an fsync of the file does nothing for its name.  A rename between
 * directories is durable once either was synced.  Of the later operations in one directory a
 * prefix is kept, in each directory on its own (what ext4 promises is more: one order for all).
 * With any_order any subset is kept.  A directory's failed fsync counts as none.  In both, a
 * rename is whole, never halfway, and a file that is still alive does not lose its last name by
 * it.  A file without a name is not in the image.  A file that was renamed before it was synced
 * may be there under the new name, empty or partial.
 *
 * Mapped files.  What a program stores through a shared mapping is no call.  Files whose path
 * satisfies setup.mapped are compared with their last state at each call, so that the record
 * knows them as they were; keep them small (a few MB), as each call reads them whole.  They are
 * treated as disposable: each image that holds at least one comes three times, with all of them
 * as they were, as they were at their last sync (empty without one), and zeroed at their size.
 *
 * Which images
 *
 * A crash point lies before each call that changed something, and one at the end; marks set
 * since the call before count as seen.  For each point: everything unsynced lost; everything
 * kept; and `mixes` random ones.  Images equal in content and number of marks are checked once,
 * at the first such point, so let a check decide by marks, not by im->crash.  Over max_images
 * the points get an even share.  The same record, options and seed give the same images.  Each
 * image is made of new files, on tmpfs where there is one: about 0.5 ms for a store of a dozen
 * files and 400 KB.
 *
 * Limits.  The record is of one process and one thread: a child's calls are not in it.  All
 * changes under root must go through the table, except stores to mapped files: record_io_images()
 * compares the record with root, as it is then, and fails when they differ (so leave root as the
 * last call left it; mapped files may have been made or changed by other means).  Regular files
 * and directories only; of their attributes an image has the mode.  Path names are taken as they
 * are spelled, so none ends in a slash.  Recorders nest: a check may start one on its image, to
 * crash the recovery as well.
 *
 * With fault_io.  Give the recorder the faults as its base, and it sees a failed sync for what it
 * is.  Faults with `after` go on top of the recorder instead, because a call that fails counts as
 * not done.
 */
#ifndef SHOAL_TESTS_LIB_RECORD_IO_H
#define SHOAL_TESTS_LIB_RECORD_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "os/file.h"

struct record_io;

struct record_setup {
	const char *root;      /* an existing directory; what is in it counts as durable */
	const struct io *base; /* the table below; NULL is io_os */
	/* Whether the file of this path, relative to root, is written through a mapping. */
	bool (*mapped)(const char *path);
};

/*
 * Read what is under root and record from now on.  *ret_io is the table for the code under test;
 * it serves the recorder started last and not yet freed.
 */
struct record_io *record_io_start(const struct record_setup *setup, const struct io **ret_io,
                                  struct err *e);

/* The recorder started before this one records again.  NULL is fine. */
void record_io_free(struct record_io *r);

/* Note what the world outside has seen by now: a line of text, at most 255 bytes. */
void record_io_mark(struct record_io *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The number of calls recorded, those only that changed something. */
size_t record_io_calls(const struct record_io *r);

enum record_mix { RECORD_LOST, RECORD_KEPT, RECORD_RANDOM };
enum record_mapped { RECORD_MAPPED_KEPT, RECORD_MAPPED_OLD, RECORD_MAPPED_ZERO };

struct record_image {
	const char *dir;  /* the root as the crash left it; the check may change it */
	const char *name; /* "crash 17 of 80, after pwrite 'log/1' 300 at 512: mix 2, ..." */
	const char *const *marks; /* in order; those before the crash */
	size_t n_marks;
	size_t crash; /* how many calls had been done: 0 .. record_io_calls() */
	enum record_mix mix;
	enum record_mapped mapped; /* KEPT also when the image has no mapped file */
	uint64_t seed;             /* that of the options */
};

bool record_image_marked(const struct record_image *im, const char *mark);

/* How many marks begin with these bytes. */
size_t record_image_count(const struct record_image *im, const char *prefix);

struct record_options {
	uint64_t seed;
	size_t max_images; /* an upper bound of all */
	unsigned mixes;    /* random images at each crash point */
	bool any_order;    /* names: any consistent subset, not only a prefix in each directory */
	size_t only_crash; /* this crash point only, to look closer at a failure; SIZE_MAX: all */
	const char *tmp;   /* where images are built; NULL: /dev/shm, else $TMPDIR, else /tmp */
};

#define RECORD_OPTIONS_DEFAULT                                                    \
	(struct record_options)                                                   \
	{                                                                         \
		.seed = 1, .max_images = 4000, .mixes = 4, .only_crash = SIZE_MAX \
	}

typedef int record_check(const struct record_image *im, void *arg, struct err *e);

/*
 * Build the images and call check for each, until it returns a value other than 0.  The number
 * of images checked; -1 and *e when the check failed, with the image's name before its message
 * and the directory of a fresh copy of the image, which is kept, after it; also when the record
 * does not tell the whole story (see Limits) and when an image cannot be built.
 */
long record_io_images(struct record_io *r, const struct record_options *o, record_check *check,
                      void *arg, struct err *e);

#endif
