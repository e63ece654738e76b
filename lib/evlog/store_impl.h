/*
 * store_impl: the inside of struct evlog, for the modules of this directory only.
 *
 *	store.c    make, open, close; the writer lock and the state it finds
 *	format.c   the FORMAT file
 *	recover.c  from the log to a good ctl and active table
 *	walk.c     what the bytes of the active segment are
 *	segment.c  the files of the log: list, map, one frame by its sequence; offsets.c
 *	index.c    runs: load, look up; maintain.c: merged
 *	lookup.c   streams and ids: index hints confirmed by the log
 *	append.c   a commit under construction; commit.c: written; sync.c: made durable
 *	roll.c     from one segment to the next
 *	retain.c   what rules hide of a stream
 */
#ifndef SHOAL_EVLOG_STORE_IMPL_H
#define SHOAL_EVLOG_STORE_IMPL_H

#include "evlog/active.h"
#include "evlog/ctl.h"
#include "evlog/read.h"
#include "evlog/retain.h"
#include "evlog/run.h"
#include "evlog/store.h"

/* Taken in the order: LOCK_COMPACT, LOCK_WRITER, LOCK_MAINTAIN. */
enum store_lock { LOCK_WRITER = 0, LOCK_MAINTAIN = 1, LOCK_SYNC = 2, LOCK_COMPACT = 3 };

#define LOCK_TURNS ((off_t)1 << 32) /* and 2^32 bytes from there on: turn.h */

#define SEGMENT_NAME_MAX 24 /* 0000000000000001.evl */
#define POISON_NAME      "poisoned"
#define CURSOR_DIR       "cursors"
/* Of a store on a network file system. */
#define STORE_REMOTE     "a store cannot be on %s: its processes share memory; use a local disk"

/* The bytes of a sealed segment; scans share them. */
struct mapping {
	const char *p;
	size_t size;
	ino_t ino; /* repair and compact put another file in its place */
	unsigned refs;
	uint64_t gone; /* events that were removed from it */
	bool gaps;     /* so that a sequence that is missing without a trace is no damage */
};

/* A sealed segment; mapped when it is first needed. */
struct segment {
	uint64_t base, last; /* sequences */
	struct mapping *map;
	uint32_t *offset;     /* [seq - base], 0: not there; NULL: not loaded */
	size_t offset_mapped; /* bytes; 0: the offsets are in our own memory */
};

/* Rules of retention that stand, as of the store's sequence `seen`. */
struct own_rule {
	char *text; /* what the spans of the rule point to */
	struct retain_rule rule;
};

struct rules {
	struct own_rule *v;
	size_t count;
	uint64_t seen;
	uint64_t head; /* of RETAIN_STREAM; 0: there is none */
};

struct evlog {
	const struct io *io;
	char *path;
	int dir, log_dir, index_dir, lost_dir, lock;
	bool writable;    /* by this user: locks and ctl can be written */
	bool no_recover;  /* verify: look, change nothing */
	bool locked;      /* this process holds the writer lock */
	bool maintaining; /* and the one for maintenance */
	bool compacting;  /* and the one for replacing segments */
	bool merge_due;   /* this process rolled a segment */
	mode_t mode;      /* of files */
	int64_t lock_timeout_ms;
	evlog_stop_fn *stop; /* may be NULL: nothing ends a wait for the writer lock */
	void *stop_arg;
	unsigned char uuid[16];
	uint32_t salt;
	uint64_t segment_size;
	uint64_t key_mask; /* all ones; tests make keys collide */
	unsigned char boot_id[16];

	struct ctl *ctl;
	bool ctl_private;       /* in our memory: the shared one cannot be used or written */
	struct err why_private; /* code 0: this user may not */

	/* The active segment as this process last saw it. */
	uint64_t log_base;
	int log_fd;
	const char *log_map; /* whole, for the writer, who knows that nobody cuts it */
	size_t log_map_size;
	struct active active;

	struct segment *segments; /* sealed, by base; valid for log_base */
	size_t segment_count;
	bool segments_loaded;
	uint32_t log_gen; /* what they were mapped at */

	struct run *runs[2]; /* by family, oldest first */
	size_t run_count[2];
	bool runs_loaded[2];
	uint64_t id_loads;  /* how often those of ids were replaced: what an id_cursor counts by */
	uint32_t index_gen; /* what the runs were loaded at */

	uint32_t epoch; /* ctl.epoch at the last commit */

	int64_t now_ns; /* for rules by age; 0: not known, nothing is too old */
	struct rules rules;

	uint64_t lost_first, lost_last; /* acknowledged in this boot and gone; 0: none */

	/* The frame that was looked at last: a lookup is mostly followed by a read of the same. */
	struct {
		uint64_t seq; /* 0: none */
		bool whole;   /* with its data checked */
		struct frame frame;
	} last;

	/*
	 * The active segment up to `durable`, in memory of our own, for one who reads very many
	 * streams: what is durable does not change.
	 */
	struct {
		struct buf bytes;
		uint64_t base;    /* 0: none */
		uint64_t durable; /* the last sequence that may be read from it */
		size_t asked;     /* streams since the store was opened */
	} copy;

	struct buf frame;     /* memory of evlog_get() */
	struct buf *ret_note; /* lines for people, while the store is being opened */
};

/* store.c */
int store_lock(struct evlog *s, struct err *e); /* and the state in order, or an error */
void store_unlock(struct evlog *s);
/* Follow ctl to the active segment and its tables; bytes of sealed ones stay where they are. */
int store_follow(struct evlog *s, struct err *e);
int store_refresh(struct evlog *s, struct err *e); /* and let go of segments that were replaced */
int store_map_log(struct evlog *s, struct err *e);
int store_open_log(struct evlog *s, uint64_t base, struct err *e);
void store_note(struct evlog *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int store_stamp(struct evlog *s, struct err *e); /* ctl's ino, size, mtime from the log file */
bool store_stamp_holds(const struct evlog *s);
uint64_t key_of(const struct evlog *s, struct span a, struct span b, uint32_t n);

/* stat.c: the names in a directory, each with its NUL */
int store_list(int dir, struct buf *names, struct err *e);

/*
 * create.c: a directory of the store, opened; with `make` it is made when it is not there, with the
 * store's mode whatever the umask, but not synced.  ENOENT.
 */
int store_subdir(const struct evlog *s, const char *name, bool make, struct err *e);

/* format.c */
struct format {
	unsigned char uuid[16];
	uint64_t segment_size;
	bool shared;
};
int format_write(const struct io *io, int dir, const struct evlog_init *init, struct err *e);
int format_read(int dir, struct format *f, struct err *e);

/* recover.c */
int store_recover(struct evlog *s, struct err *e); /* under the writer lock */
int store_recover_private(struct evlog *s, struct err *e);
bool tail_has_hole(const char *p, size_t from, size_t to);
/* Offset of the first sound frame with a sequence above `seq` at or after `from`; n: none. */
size_t tail_next_sound(const char *p, size_t n, size_t from, uint64_t seq, uint32_t salt,
                       struct frame *f);
/* Copy bytes of a file to lost/BASE-OFFSET.N, durable. */
int store_save_lost(struct evlog *s, uint64_t base, size_t offset, const char *p, size_t n,
                    struct err *e);

/* segment.c */
void segment_name(char name[SEGMENT_NAME_MAX], uint64_t base);
bool segment_parse_name(const char *name, uint64_t *base);
/* The bases in log/, ascending, malloc'ed; the count. */
ssize_t segment_bases(int log_dir, uint64_t **ret, struct err *e);
int segment_create(struct evlog *s, uint64_t base, struct err *e);
int segments_load(struct evlog *s, struct err *e);
void segments_drop(struct evlog *s);
void segments_check(struct evlog *s); /* let go of files that were replaced */
int segment_map(struct evlog *s, struct segment *g, struct err *e);
void mapping_look(const struct evlog *s, struct mapping *m); /* sets gone and gaps */
void mapping_free(struct mapping *m);                        /* one reference less; NULL is fine */
/* The first sequence at or behind this one that was not removed, as far as offsets tell. */
uint64_t segments_next(struct evlog *s, uint64_t seq);
struct segment *segment_of(struct evlog *s, uint64_t seq);
/* Stop writers, but for damage in a file that is no longer the one of its name (0: no matter). */
void store_mark_damaged(struct evlog *s, uint64_t base, ino_t ino);
int segment_is_damaged(struct evlog *s, const struct segment *g, struct err *e); /* -1 */
int store_frame(struct evlog *s, uint64_t seq, struct frame *f, struct err *e);
/* The same without a check of the data, for steps along pointers. */
int store_header(struct evlog *s, uint64_t seq, struct frame *f, struct err *e);

/* offsets.c: of a segment that is mapped */
int offsets_load(struct evlog *s, struct segment *g, struct err *e);
int offsets_rebuild(struct evlog *s, struct segment *g, struct err *e);
void offsets_drop(struct segment *g);
/* The file for a segment of that size from which `gone` events were removed. */
int segment_write_offsets(struct evlog *s, uint64_t base, const uint32_t *offset, size_t n,
                          uint64_t size, uint64_t gone, struct err *e);

/* index.c */
int index_load(struct evlog *s, enum run_family family, struct err *e);
void index_drop(struct evlog *s);
void index_drop_family(struct evlog *s, enum run_family family);
void index_remove_run(struct evlog *s, enum run_family family, uint64_t first, uint64_t last);
int index_head(struct evlog *s, uint64_t key, uint64_t *seq, struct err *e); /* 1, 0, -1 */
struct id_cursor {
	size_t active_at;
	size_t run; /* counted from the newest; 0: the active table */
	uint64_t run_at;
	uint64_t loads; /* of which id_loads; with others the runs are walked again */
};
#define ID_FIRST                          \
	(struct id_cursor)                \
	{                                 \
		.active_at = ACTIVE_FIRST \
	}
int index_next_id(struct evlog *s, uint64_t key, struct id_cursor *at, uint64_t *seq,
                  struct err *e);
int index_add(struct evlog *s, struct active *a, const struct frame *f, struct err *e);
int index_seal(struct evlog *s, uint64_t last, struct err *e); /* active tables to runs */
void index_prefetch(struct evlog *s, enum run_family family, uint64_t key);

/* lookup.c: 1 found, 0 not; *ret_key (heads): the key the stream has or would get. */
int lookup_head(struct evlog *s, struct span stream, struct frame *f, uint64_t *ret_key,
                struct err *e);
/*
 * The events with an id, one after another; *at starts as ID_FIRST.  More than one only where the
 * stream was deleted between them.  All are passed; one can be passed again when others merge runs
 * between two calls.
 */
int lookup_id(struct evlog *s, struct span stream, struct span id, struct id_cursor *at,
              struct frame *f, struct err *e);

/*
 * The sequence of the last deletion of the stream of *f, at or before that event, or of what is not
 * there any more; 0: neither.  1 or -1; *f is spent.
 */
int lookup_floor(struct evlog *s, struct frame *f, uint64_t *ret, struct err *e);

/* A copy of the active segment, once many streams have been asked for. */
void store_copy_active(struct evlog *s, size_t streams);
bool store_in_copy(const struct evlog *s, uint64_t seq, uint32_t at);

/* Have what lookups of these keys of heads need on its way into the cache. */
#define LOOKUP_WARM_MAX   64
#define LOOKUP_WARM_BYTES 256 /* of each frame */
void lookup_warm(struct evlog *s, const uint64_t *keys, size_t n, unsigned depth);

/* read.c: the newest frame of a stream at or below a sequence, also a deletion: 1, 0, -1. */
int store_newest(struct evlog *s, struct span stream, uint64_t at_most, struct frame *f,
                 struct err *e);

/* From the newest event of a stream, not a deletion, to the first one that its name shows: 1, -1.
 */
int store_first(struct evlog *s, struct span stream, uint64_t at_most, struct frame *f,
                struct err *e);
/* As evlog_each_stream(), with deletions and the key in the index. */
typedef int head_fn(const struct frame *head, uint64_t key, void *arg, struct err *e);
int store_each_head(struct evlog *s, uint64_t at_most, head_fn *fn, void *arg, struct err *e);

/* retain.c: what is hidden of a stream whose newest version is `last`. */
int rules_hide(struct evlog *s, struct span stream, uint32_t last, uint64_t at_most,
               struct hidden *ret, struct err *e);
void rules_drop(struct rules *r);

/* compact.c: two who put files in the place of segments would undo each other's work. */
int compact_lock(struct evlog *s, struct err *e);
void compact_unlock(struct evlog *s);

/* roll.c */
int store_roll(struct evlog *s, struct err *e);

/* sync.c */
void sync_poison(struct evlog *s, int code);

#endif
