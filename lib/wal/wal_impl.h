/*
 * wal_impl: the inside of a log, for lib/wal alone.
 *
 * Two places move through the log.  The fill is where the next record will stand: wal_append() and
 * its like move it, through segments that need not exist yet.  The file is how far the bytes are
 * written: wal_write() lets it catch up.  What lies between is the buffer.
 */
#ifndef SHOAL_WAL_WAL_IMPL_H
#define SHOAL_WAL_WAL_IMPL_H

#include <stdatomic.h>

#include "wal/record.h"
#include "wal/wal.h"

#define WAL_NAME_MAX  24 /* "0000000000000001.wal" */
#define WAL_LOCK_NAME "lock"
#define WAL_PAGE      ((size_t)4096)

/* A segment that holds records, or will when the buffer is written. */
struct wal_segment {
	uint64_t number;
	uint64_t size;
	struct raft_point begin; /* the log's last entry before the first one in here */
	uint64_t last;           /* the highest index of an entry in here that counts; 0: none */
};

/* From here on the buffer belongs to another segment than before: the one of this index. */
struct wal_part {
	size_t begin;
	size_t segment;
	uint64_t sealed; /* the sequence of the seal before it */
};

struct wal {
	const struct io *io;
	int dir;
	uint64_t cluster;
	uint64_t node;
	size_t segment_size;
	mode_t mode;
	int lock_fd;

	/* The fill. */
	struct wal_chain chain;
	uint64_t first; /* segment */
	uint64_t term, vote;
	struct raft_point base, last, snapshot;
	uint64_t fill;    /* offset in the last of `segments` */
	uint64_t content; /* sequence of the last record that is no mark */
	uint64_t vouched; /* the highest `durable` of any record */
	struct buf buf;
	struct wal_segment *segments;
	size_t n_segments, cap_segments;
	struct wal_part *parts;
	size_t n_parts, cap_parts;
	bool no_memory;

	/* The files. */
	int fd;
	size_t live;      /* index in `segments` */
	uint64_t number;  /* its number: `segments` may move while a sync runs */
	uint64_t at;      /* offset in it */
	uint64_t written; /* sequence */
	int next_fd;      /* -1: the next segment does not exist */
	uint64_t next_size, next_made;

	_Atomic uint64_t durable;
	_Atomic int poison; /* errno of what ended it */
};

/* --- segment.c --- */

void wal_segment_name(char name[WAL_NAME_MAX], uint64_t number);
bool wal_segment_number(const char *name, uint64_t *ret);

/* Write zeros over [from, to) of a file. */
int wal_zero(const struct io *io, int fd, uint64_t from, uint64_t to, struct err *e);

/*
 * Work on the segment behind the live one, which gets at least `size` bytes, up to `slice` of them
 * now: 1 more to do, 0 ready; -1: *ret_final tells a failed sync from a failure to make it.
 */
int wal_make_next(struct wal *w, uint64_t size, uint64_t slice, bool *ret_final, struct err *e);

/* --- wal.c --- */

/* A record for the buffer; sets its `durable`. */
void wal_put(struct wal *w, struct wal_record *r);

/* Another segment behind those that are known; false: out of memory. */
bool wal_add_segment(struct wal *w, struct wal_segment s);

/* wal_add_segment(), and its head goes to the buffer. */
void wal_begin_segment(struct wal *w, struct wal_segment s);

/* The log ends at a point, or begins anew behind it: what the segments hold of it. */
void wal_segments_cut(struct wal *w, struct raft_point last);
void wal_segments_reset(struct wal *w, struct raft_point base);

/* Make the next segment as a whole, of `size` bytes or more. */
int wal_ready_next(struct wal *w, uint64_t size, struct err *e);

int wal_write_and_sync(struct wal *w, struct err *e);

/* --- replay.c --- */

/* The entries of a log while it is read; zeroed at first. */
struct replay {
	struct raft_entry *entries; /* data.p is set at the end */
	size_t count, cap;
	struct buf bytes; /* their data, in order */
};

/* What a head and a record say becomes part of *w; -1 with WAL_DAMAGED or ENOMEM. */
int replay_head(struct wal *w, const struct wal_head *h, uint64_t size, struct err *e);
int replay_record(struct replay *rp, struct wal *w, const struct wal_record *r, struct err *e);

/* The term of the entry at an index; 0: it is not there. */
uint64_t replay_term(const struct replay *rp, uint64_t index);

void replay_clear(struct replay *rp);
/* Hand over to *ret, with a copy of conf; *rp is then empty. */
int replay_finish(struct replay *rp, struct span conf, struct wal_recovered *ret, struct err *e);
void replay_done(struct replay *rp);

/* --- survey.c --- */

/* What is in the directory, read and judged; nothing is changed. */
struct survey {
	uint64_t *numbers; /* of the segments, in order */
	size_t count, cap;
	uint64_t first, newest; /* segments: the first that counts, the last with a sound head */
	bool fresh;

	/* The newest segment. */
	struct buf file;
	struct wal_chain chain; /* behind its last sound record */
	size_t end;             /* where that ends */
	size_t tail;            /* bytes behind it that are not zeros, to the last such one */
	size_t unsure;          /* offset of the first record that none vouches for */
	bool sealed;
	uint64_t content; /* sequence of the last record that is no mark */
	uint64_t vouched;

	size_t foul; /* bytes in later segments that are not zeros */
	struct replay replay;
	struct snapfile_meta snapshot; /* with a conf of its own */
	struct buf conf;
	struct raft_point passed; /* the newest snapshot, when it is damaged; index 0: it is not */
};

int survey_make(struct survey *v, struct wal *w, struct buf *note, struct err *e);
void survey_done(struct survey *v);

/* How many bytes up to the last one that is not zero. */
size_t survey_used(const char *p, size_t n);

/* Read a segment as a whole; *ret_fd, where not NULL, is left open for writing. */
int survey_load(struct wal *w, uint64_t number, struct buf *b, int *ret_fd, struct err *e);

/* --- recover.c --- */

/* Find out what is in the directory, and make *w and *ret of it. */
int wal_recover(struct wal *w, uint32_t salt, struct wal_recovered *ret, struct buf *note,
                struct err *e);

#endif
