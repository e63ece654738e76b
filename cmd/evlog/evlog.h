/*
 * evlog: the command line of the event store, evlog(1).
 *
 * The edge: options, wiring, messages and exit statuses.  What an event is and how it is kept is
 * in lib/evlog.  Prototypes stand under the name of their file; the verbs come first, then what
 * they share.  As everywhere in cmd/, a function that meets an error it cannot answer says so and
 * exits.
 */
#ifndef SHOAL_CMD_EVLOG_H
#define SHOAL_CMD_EVLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "evlog/append.h"
#include "evlog/event.h"
#include "evlog/read.h"
#include "evlog/store.h"
#include "os/rand.h"
#include "tool/opt.h"

/* The exit statuses that are evlog's own. */
enum evlog_status {
	STATUS_DAMAGED = 8,
	STATUS_CONFLICT = 10,
	STATUS_ID_REUSED = 11,
	STATUS_DELETED = 12, /* the stream was deleted for good */
	STATUS_REJECTED = 13
};

/* Options without a letter, of all verbs. */
enum long_option {
	OPT_ACCEPT = OPT_LONG + 1,
	OPT_AFTER,
	OPT_ALL,
	OPT_AT,
	OPT_ATOMIC,
	OPT_BATCH,
	OPT_BEFORE,
	OPT_CHECK,
	OPT_COMMAND,
	OPT_COMMIT,
	OPT_COPY,
	OPT_DEEP,
	OPT_DRY_RUN,
	OPT_EACH,
	OPT_FORCE,
	OPT_FROM,
	OPT_GROUP,
	OPT_HARD,
	OPT_INIT,
	OPT_INTO,
	OPT_JSON,
	OPT_MAX_AGE,
	OPT_MAX_COUNT,
	OPT_MAX_LAG,
	OPT_MAX_TRIES,
	OPT_MIN_SEQ,
	OPT_NONE,
	OPT_ONCE,
	OPT_PARK,
	OPT_RAW,
	OPT_REBUILD,
	OPT_RETRY_FOR,
	OPT_SCHEMA,
	OPT_SEGMENT_SIZE,
	OPT_SHARED,
	OPT_SINCE,
	OPT_SKIP_DAMAGED,
	OPT_SNAPSHOT_EVERY,
	OPT_STATUS_FD,
	OPT_STREAM,
	OPT_TAKE,
	OPT_TIMEOUT,
	OPT_TO,
	OPT_UNTIL_IDLE
};

/* append.c */
extern const struct opt append_options[];
int append_run(struct opts *o);

/* The operand STREAM of a verb that writes. */
struct span stream_operand(const char *s);

/* read.c */
extern const struct opt read_options[];
extern const struct opt get_options[];
int read_run(struct opts *o);
int get_run(struct opts *o);

/* tail.c */
extern const struct opt tail_options[];
int tail_run(struct opts *o);

/* list.c */
extern const struct opt streams_options[];
int version_run(struct opts *o);
int head_run(struct opts *o);
int streams_run(struct opts *o);
int types_run(struct opts *o);

/* admin.c */
extern const struct opt init_options[];
extern const struct opt backup_options[];
int init_run(struct opts *o);
int reindex_run(struct opts *o);
int backup_run(struct opts *o);
int restore_run(struct opts *o);

/* check.c */
extern const struct opt stat_options[];
extern const struct opt verify_options[];
int stat_run(struct opts *o);
int verify_run(struct opts *o);
int repair_run(struct opts *o);

/* shrink.c */
extern const struct opt rm_options[];
extern const struct opt retain_options[];
extern const struct opt compact_options[];
int rm_run(struct opts *o);
int retain_run(struct opts *o);
int compact_run(struct opts *o);

/* port.c */
extern const struct opt export_options[];
extern const struct opt import_options[];
int export_run(struct opts *o);
int import_run(struct opts *o);

/* fold.c */
extern const struct opt fold_options[];
int fold_run(struct opts *o);

/* handle.c */
extern const struct opt handle_options[];
int handle_run(struct opts *o);

/* spec.c */
extern const struct opt test_options[];
int test_run(struct opts *o);

/* snapshot.c */
extern const struct opt snapshot_options[];
int snapshot_run(struct opts *o);
/* cursor.c */
extern const struct opt cursor_options[];
extern const struct opt next_options[];
extern const struct opt ack_options[];
int cursor_run(struct opts *o);
int next_run(struct opts *o);
int ack_run(struct opts *o);

/* consume.c */
extern const struct opt consume_options[];
int consume_run(struct opts *o);

/* project.c */
extern const struct opt project_options[];
int project_run(struct opts *o);

/* model.c */
extern const struct opt query_options[];
int query_run(struct opts *o);

/* ---- main.c */

/* The exit status for an error, and the end of the program with it. */
int status_of(const struct err *e);
_Noreturn void fail(const struct err *e);
int fail_soft(const struct err *e); /* the same status, for one that has to clean up first */

/* realloc() of an array that ends the program when memory is short. */
void *grow(void *array, size_t count, size_t size);

/* ---- place.c: which store, and the way into it. */

struct place {
	const char *url; /* of -s; NULL: EVLOG_STORE, or the default */
	bool has_wait;
	int64_t wait_ms; /* for other writers; without it for ever */
};

/* Take an option that all verbs have. */
void place_option(struct place *p, const struct opts *o, int id);

/* The store's directory; free() it.  *ret_default: nobody named it. */
char *place_path(const struct place *p, bool *ret_default);

/* Make a store there; EEXIST when there is one. */
int place_create(const char *path, bool is_default, const struct evlog_init *settings,
                 struct err *e);
_Noreturn void place_fail_to_create(const struct err *e);

struct evlog *place_open(const struct place *p);           /* for reading and looking after */
struct evlog *place_open_as_is(const struct place *p);     /* changing nothing, for verify */
struct evlog *place_open_to_append(const struct place *p); /* makes one that is not there */

/* For a verb without options of its own: parse, check the number of operands, and open. */
struct evlog *place_open_plain(struct opts *o, int operands, const char *what);

/* ---- input.c: lines of files, one file after another, stdin where there is none or for "-". */

enum input_step {
	INPUT_LINE,
	INPUT_PAUSE, /* nothing more is ready: the next call waits */
	INPUT_END,
	INPUT_STOP, /* SIGTERM, SIGINT or SIGHUP came: input_signal() */
	INPUT_BAD   /* no line, for the reason in *e, which says where; this is the end */
};

struct input {
	char **files;     /* ends with NULL; borrowed */
	const char *file; /* NULL: stdin */
	int fd;           /* -1: none is open */
	uint64_t line;    /* of the last INPUT_LINE, from 1 */
	bool at_end;      /* of this file */
	bool paused;
	char *data;
	size_t begin, scanned, end, cap; /* [begin, end) is unread, without LF before `scanned` */
};

/* From now on the signals end the input instead of the process; a second one ends the process. */
void input_catch_signals(void);
int input_signal(void);

void input_open(struct input *in, char **files);
void input_close(struct input *in);

/* The next line without its LF: borrowed until the next call. */
enum input_step input_next(struct input *in, struct span *ret_line, struct err *e);

/* All that is left of all files, at most max bytes, as INPUT_LINE. */
enum input_step input_rest(struct input *in, size_t max, struct span *ret_bytes, struct err *e);

/* Where a line came from. */
struct origin {
	const char *file; /* NULL: stdin */
	uint64_t line;    /* 0: from no input at all */
};

/* Put "line 3: " or "'FILE' line 3: " in front of an error; input_locate(): of the last line. */
void origin_locate(const struct origin *o, struct err *e);
void input_locate(const struct input *in, struct err *e);

/* ---- syncer.c: a thread that syncs one commit while the next one is made. */

struct syncer;

struct syncer *syncer_start(const struct evlog *s); /* NULL: not possible, do without */
void syncer_begin(struct syncer *y, const struct evlog *writer, uint64_t sequence);
int syncer_wait(struct syncer *y, struct err *e); /* for the request that was begun */
void syncer_stop(struct syncer *y);

/* ---- write.c: events become commits, and commits receipts. */

struct writer {
	struct evlog *store;
	enum commit_mode mode;
	bool receipts; /* print them */
	bool prompt;   /* each as soon as its commit is durable, whatever that costs */
	struct event_parser parser;
	/* private: */
	struct buf source;
	struct commit *commit;
	struct origin *origins; /* of the commit's events */
	size_t origins_cap;
	int64_t now_ns;
	struct rand_pool pool;
	struct buf out;
	/* A commit that is written and being synced; its receipts are not yet printed. */
	struct commit *written;
	struct commit_result written_result;
	bool in_flight;
	struct syncer *syncer;
	unsigned streak; /* commits since the input last paused */
	/* Of all commits: */
	uint64_t count, known, last_sequence;
};

/* Set store, mode, receipts and the parser's form before. */
void writer_init(struct writer *w);
void writer_done(struct writer *w);

/* Take an event that came from the input's last line; what has no id gets one. */
void writer_add(struct writer *w, struct event *ev, const struct input *in);

size_t writer_pending(const struct writer *w); /* events since the last commit */

/* Check a stream at the next commit. */
int writer_check(struct writer *w, struct span stream, struct expect x, struct err *e);

/*
 * Write what was added.  While input keeps coming, the receipts of a commit may be printed only
 * when the next one is written: writer_settle() waits for all of them.
 */
void writer_commit(struct writer *w);
void writer_settle(struct writer *w);

/* The answer to a lost race is data for the caller, who reads and tries again. */
_Noreturn void end_in_conflict(const struct commit_result *r, const struct err *e);

/* End with an error of the input: what was added before it stays, unless its commit is atomic. */
_Noreturn void writer_refuse(struct writer *w, const struct err *e);

/* ---- meta.c: attributes for all events of an append. */

void meta_option(struct event_parser *p, const struct opts *o); /* -m NAME=VALUE */
void meta_environment(struct event_parser *p);

/* ---- query.c: which events. */

enum select_kind { SELECT_STREAM, SELECT_PREFIX, SELECT_ALL, SELECT_NAMES };

struct query {
	enum select_kind kind;
	struct span name;   /* of the stream, or the prefix without its '*' */
	bool all;           /* --all was given */
	struct span *types; /* any of them; none: all */
	size_t type_count;
	uint64_t after; /* sequences above this one */
	bool has_since;
	uint64_t since_ns; /* recorded then or later */
	uint32_t from, to; /* versions */
	bool has_versions;
	uint64_t limit; /* events to print at most */
	bool reverse;
};

void query_init(struct query *q);
void query_done(struct query *q);

/* Take one of the options --all, --after and -t; false: it is another one. */
bool query_option(struct query *q, const struct opts *o, int id);
void query_since(struct query *q, const struct opts *o); /* a duration or a date-time */

/* The operand that selects, or --all.  allow_names: "-" is for names on stdin. */
void query_operand(struct query *q, const struct opts *o, bool allow_names);
void query_select(struct query *q, const char *operand); /* STREAM or PREFIX* */

bool query_has_name(const struct query *q, struct span stream);
bool query_has_type(const struct query *q, struct span type);
bool query_has(const struct query *q, const struct frame *f); /* both */

/* The first sequence that --after and --since let through. */
uint64_t query_begin(const struct query *q, struct evlog *s, uint64_t end);

/* Is there a stream that it selects? */
bool query_exists(const struct query *q, struct evlog *s, uint64_t end);

/* ---- print.c: events on stdout. */

enum print_format { PRINT_CE, PRINT_DATA, PRINT_RAW, PRINT_TSV, PRINT_BATCH };

struct printer {
	enum print_format format;
	bool nul; /* records end with NUL */
	/* private: */
	struct event_writer writer;
	struct buf source, out;
	uint64_t count; /* events printed */
};

bool printer_option(struct printer *p, const struct opts *o, int id);
void printer_begin(struct printer *p, const struct evlog *s);
void printer_put(struct printer *p, const struct frame *f);
void printer_flush(struct printer *p);            /* to stdout, at once */
void printer_end(struct printer *p, bool exists); /* of nothing there is no empty array */

/* "/evlog/NAME", what events come from that say nothing else. */
struct span source_of(struct buf *b, const struct evlog *s);

/* ---- damage.c: what is missing is named, and the exit status tells of it. */

struct damages {
	bool seen;
	bool deleted;                 /* a stream that was asked for is, for good; reported */
	struct damage last;           /* reported */
	uint64_t gap_first, gap_last; /* sequences that are missing, and why is known */
};

/* Does an error mean that events are missing, so that a scan finds all the others? */
bool damages_cause(const struct err *e);

void damages_report(struct damages *d, const struct damage *what);
int damages_status(const struct damages *d, int otherwise);

/* scan_new() and scan_next(), where damage is reported and passed over. */
struct scan *damages_scan(struct evlog *s, uint64_t first);
bool damages_next(struct damages *d, struct scan *sc, uint64_t last, struct frame *f);

/* evlog_get(), where damage that hides the event is reported. */
bool damages_get(struct damages *d, struct evlog *s, uint64_t seq, struct frame *f);

/* evlog_gather() into *seqs, also where the stream's chain of events is broken. */
void damages_gather(struct damages *d, struct evlog *s, struct span stream, uint32_t from,
                    uint32_t to, uint64_t end, struct seqs *seqs);

void seqs_push(struct seqs *q, uint64_t seq);

/* ---- read.c, for export: print what a query selects; the exit status. */

int read_query(struct evlog *s, const struct query *q, struct printer *p);

/* ---- journal.c: lines of `journalctl -o json`. */

struct journal;

struct journal *journal_new(void);
void journal_free(struct journal *j);

/*
 * Make an event of an entry of the journal: 1, 0 when the line is none, -1.  The spans are valid
 * until the next call.
 */
int journal_parse(struct journal *j, const char *line, size_t len, struct event *ret,
                  struct err *e);

#endif
