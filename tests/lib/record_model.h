/*
 * record_model: the inside of record_io; tests include record_io.h.
 *
 * A record is a list of events.  Replayed into a struct model they give, at each moment, what is
 * durable and what is pending; from that an image is chosen.  The model does no I/O.
 */
#ifndef SHOAL_TESTS_LIB_RECORD_MODEL_H
#define SHOAL_TESTS_LIB_RECORD_MODEL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "record_io.h"

#define RECORD_ROOT ((size_t)0) /* the node of the root directory */
#define RECORD_NONE SIZE_MAX

/* A file or directory that there was at any time; its index is its identity. */
struct record_node {
	ino_t ino;
	mode_t mode;
	bool is_dir;
	bool mapped;   /* satisfied setup.mapped under one of its names */
	bool dirty;    /* has changes that no sync has covered */
	bool unlinked; /* its name is gone */
	size_t dir;    /* where it was last seen */
	char *name;
	struct buf seen; /* mapped: the bytes the record knows */
};

enum record_kind {
	RECORD_ENTER,       /* (dir, name) is node: create, link, mkdir */
	RECORD_REMOVE,      /* (dir, name), which was node, is gone */
	RECORD_RENAME,      /* (dir, name), which was node, is (to_dir, to_name) */
	RECORD_WRITE,       /* node has data[0..len) at `at`; data NULL: zeros */
	RECORD_SIZE,        /* node has `at` bytes */
	RECORD_SYNC,        /* of a file */
	RECORD_SYNC_FAILED, /* of a file */
	RECORD_SYNC_DIR,
};

struct record_event {
	enum record_kind kind;
	bool call;  /* false: seen in a mapped file before the next call */
	char *what; /* a call: "pwrite 'log/1' 300 at 512" */
	size_t node;
	size_t dir;
	size_t to_dir;
	char *name;
	char *to_name;
	size_t at;
	size_t len;
	unsigned char *data;
};

struct record_marked {
	char *text;
	size_t events; /* how many there were before it */
};

struct record_io {
	struct record_io *outer; /* the recorder that this one hides */
	const struct io *base;
	bool (*mapped)(const char *path);
	char *root;
	dev_t dev;
	bool busy;      /* images are being built: record nothing */
	struct err bad; /* code != 0: what the record cannot express */
	struct record_node *nodes;
	size_t n_nodes;
	struct record_event *events;
	size_t n_events;
	size_t n_initial; /* the first events tell what was there at the start */
	size_t n_calls;
	struct record_marked *marks;
	size_t n_marks;
};

/* A directory entry. */
struct record_entry {
	size_t dir;
	size_t node;
	const char *name;
};

struct record_names {
	struct record_entry *v;
	size_t n;
};

struct model;

/* Which of the states that a crash may leave. */
struct model_choice {
	enum record_mix mix;
	uint64_t seed;
	bool any_order;
	enum record_mapped mapped;
};

/* The bytes of a file in an image: borrowed from the model, or owned (then free them). */
struct model_bytes {
	const char *data;
	char *owned;
	size_t len;
	uint64_t hash;
};

/* The record must not change while a model of it is in use. */
struct model *model_new(const struct record_io *r);
void model_free(struct model *m);
/* The next event, by its index. */
void model_step(struct model *m, size_t event);
bool model_is_dirty(const struct model *m);
/* There is a mapped file, durable or not. */
bool model_has_mapped(const struct model *m);
/* The directory entries of an image, also those of unreachable directories; free names->v. */
void model_names(const struct model *m, const struct model_choice *c, struct record_names *names);
struct model_bytes model_content(struct model *m, size_t node, const struct model_choice *c);

/* --- record_names.c: entries, and which of their pending changes an image holds --- */

struct pending_name {
	const struct record_event *event;
	bool durable;
};

/* Another array of the same entries. */
void names_copy(struct record_names *to, const struct record_names *from);
void names_apply(struct record_names *names, const struct record_event *ev);
/* Apply to the durable names those pending changes that the choice keeps. */
void names_choose(struct record_names *names, const struct pending_name *pending, size_t n,
                  size_t n_nodes, const struct model_choice *c);

/* --- small things that all of record_io needs --- */

uint64_t record_rand(uint64_t *state);
uint64_t record_hash(const void *p, size_t n, uint64_t seed);
/* Memory or the end of the test program. */
void *record_alloc(size_t n);
void *record_grow(void *v, size_t n, size_t size);
char *record_text(const char *s);
void record_must(const struct buf *b);

/* --- record_note.c: the record as it grows; a call is NULL for what was seen, not called --- */

size_t record_find_node(const struct record_io *r, const struct stat *st);
/* The directory of a path, and where in the path its last component begins. */
size_t record_find_dir(const struct record_io *r, int dir, const char *path, const char **ret_name);
/* (dir, name) as a path relative to the root. */
void record_path(const struct record_io *r, size_t dir, const char *name, char path[PATH_MAX]);
size_t record_add_node(struct record_io *r, const struct stat *st);
void record_add_enter(struct record_io *r, size_t node, size_t dir, const char *name,
                      const char *call);
void record_add_remove(struct record_io *r, size_t node, size_t dir, const char *name,
                       const char *call);
/* target: what had the new name before, or RECORD_NONE. */
void record_add_rename(struct record_io *r, size_t node, size_t dir, const char *name,
                       size_t to_dir, const char *to_name, size_t target);
/* what: of record_describe(), owned by the record from now on. */
void record_add_write(struct record_io *r, size_t node, const void *p, size_t len, size_t at,
                      char *what);
void record_add_size(struct record_io *r, size_t node, size_t size, char *what);
void record_add_sync(struct record_io *r, size_t node, const char *call, int result);
char *record_describe(const struct record_io *r, const char *call, size_t node, const char *more);
/* Bring the record up to date with what was stored in mapped files. */
void record_scan_mapped(struct record_io *r);
void record_cannot_tell(struct record_io *r, const char *call, const char *name, const char *why);
void record_free(struct record_io *r);

/* --- record_tree.c: directories on disk --- */

struct tree_file {
	char *path; /* relative to the root */
	size_t node;
	struct model_bytes bytes; /* of a file */
};

struct tree {
	struct tree_file *v; /* a directory before what is in it */
	size_t n;
	uint64_t hash;
	bool has_mapped;
};

/* Note what is under the root. */
int record_read_tree(struct record_io *r, struct err *e);
void tree_build(struct tree *t, struct model *m, const struct record_io *r,
                const struct model_choice *c);
void tree_done(struct tree *t);
int tree_write(const struct tree *t, const struct record_io *r, const char *dir, struct err *e);
/* Does the record tell how root came to be as it is? */
int tree_compare(struct tree *t, struct record_io *r, struct err *e);

#endif
