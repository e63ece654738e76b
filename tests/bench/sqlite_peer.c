/*
 * sqlite_peer: an event store on SQLite, as good as SQLite can be; what evlog is measured beside.
 *
 *	sqlite_peer init DB          make the tables
 *	sqlite_peer settings DB      print what is set, as SQLite says it
 *	sqlite_peer load DB COMMIT   lines with "stream" on stdin; a durable commit each COMMIT
 *	sqlite_peer each DB STREAM   lines without; a durable commit and a receipt for each
 *	sqlite_peer read DB          the events of the streams named on stdin, by version
 *	sqlite_peer scan DB          all events, by sequence
 *
 * What both sides share is the same code: the scanner of the input, the making of ids, and the
 * printing of an event.  What they promise is the same too: every commit is on disk before the next
 * (WAL, synchronous=FULL), versions and sequences are dense, the expected version is checked for
 * each event, an id is unique within its stream.
 *
 * What was tried and measured to make it fast: events refer to streams by number, so that new
 * streams go to the right end of each index; the last version comes out of the index that the
 * event goes into anyway, so that no row is ever updated (a column of streams took a sixth more
 * time); each statement is prepared once; a batch is one immediate transaction, reading is one too;
 * checkpoints are rare in a bulk load, where they are work, and as often as by default for single
 * commits, which are faster while the WAL is short and its blocks are written again; the file is
 * mapped for reading only.
 */
#include <sqlite3.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/json.h"
#include "base/json_out.h"
#include "bench.h"
#include "evlog/append.h"
#include "evlog/event.h"
#include "os/rand.h"

#define BLOCK_SIZE (256u << 10)
#define CACHE_KIB  262144
#define WAL_BULK   40000 /* pages between checkpoints */
#define WAL_SINGLE 1000
#define MMAP_BYTES (1ll << 40)
#define BUSY_MS    600000

static const char schema[] =
    "CREATE TABLE streams(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE events(seq INTEGER PRIMARY KEY, stream INTEGER NOT NULL,"
    " version INTEGER NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, time INTEGER NOT NULL,"
    " data TEXT NOT NULL, UNIQUE(stream, version), UNIQUE(stream, id))";

enum statement {
	BEGIN_WRITE,
	BEGIN_READ,
	COMMIT,
	FIND_STREAM,
	ADD_STREAM,
	LAST_VERSION,
	ADD_EVENT,
	READ_STREAM,
	READ_ALL,
	STATEMENTS
};

static const char *const sql[STATEMENTS] = {
    [BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [BEGIN_READ] = "BEGIN",
    [COMMIT] = "COMMIT",
    [FIND_STREAM] = "SELECT id FROM streams WHERE name = ?",
    [ADD_STREAM] = "INSERT INTO streams(name) VALUES (?)",
    [LAST_VERSION] = "SELECT max(version) FROM events WHERE stream = ?",
    [ADD_EVENT] = "INSERT INTO events(stream, version, id, type, time, data)"
		  " VALUES (?, ?, ?, ?, ?, ?)",
    [READ_STREAM] = "SELECT e.seq, e.version, e.id, e.type, e.time, e.data, s.name"
		    " FROM streams s JOIN events e ON e.stream = s.id"
		    " WHERE s.name = ? ORDER BY e.version",
    [READ_ALL] = "SELECT e.seq, e.version, e.id, e.type, e.time, e.data, s.name"
		 " FROM events e JOIN streams s ON s.id = e.stream ORDER BY e.seq",
};

struct peer {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	struct json_doc doc;
	struct rand_pool pool;
	struct event_writer writer;
	struct buf data, out;
	int64_t now_ns;
};

/* What the program can do, and the settings that it does it with. */
struct verb {
	const char *name;
	void (*run)(struct peer *p, const char *argument);
	bool has_argument;
	int open_flags;
	int wal_pages;
	long long mmap_bytes;
};

_Noreturn static void die_sqlite(const struct peer *p, const char *what)
{
	die("sqlite_peer: %s: %s", what, sqlite3_errmsg(p->db));
}

static void run_sql(struct peer *p, const char *text)
{
	if (sqlite3_exec(p->db, text, NULL, NULL, NULL) != SQLITE_OK)
		die_sqlite(p, text);
}

/* A statement, prepared when it is first needed. */
static sqlite3_stmt *get(struct peer *p, enum statement which)
{
	sqlite3_stmt **s = &p->statements[which];

	if (*s == NULL && sqlite3_prepare_v3(p->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, s,
	                                     NULL) != SQLITE_OK)
		die_sqlite(p, sql[which]);
	return *s;
}

/* One step: is there a row? */
static bool step(struct peer *p, enum statement which)
{
	int r = sqlite3_step(p->statements[which]);

	if (r != SQLITE_ROW && r != SQLITE_DONE)
		die_sqlite(p, sql[which]);
	return r == SQLITE_ROW;
}

static void run(struct peer *p, enum statement which)
{
	sqlite3_reset(get(p, which));
	step(p, which);
	sqlite3_reset(p->statements[which]);
}

static void bind_text(sqlite3_stmt *s, int at, struct span text)
{
	sqlite3_bind_text(s, at, text.p, (int)text.len, SQLITE_STATIC);
}

static void open_db(struct peer *p, const char *path, const struct verb *v)
{
	char text[256];

	if (sqlite3_open_v2(path, &p->db, SQLITE_OPEN_NOMUTEX | v->open_flags, NULL) != SQLITE_OK)
		die_sqlite(p, path);
	sqlite3_busy_timeout(p->db, BUSY_MS);
	snprintf(text, sizeof(text),
	         "PRAGMA auto_vacuum=NONE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	         "PRAGMA cache_size=-%d; PRAGMA mmap_size=%lld; PRAGMA wal_autocheckpoint=%d;"
	         "PRAGMA secure_delete=OFF",
	         CACHE_KIB, v->mmap_bytes, v->wal_pages);
	run_sql(p, text);
	p->writer.source = (struct span){"/sqlite/bench", 13};
}

static void close_db(struct peer *p)
{
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(p->statements[i]);
	if (sqlite3_close(p->db) != SQLITE_OK)
		die_sqlite(p, "close");
	buf_done(&p->data);
	buf_done(&p->out);
}

static void init(struct peer *p, const char *argument)
{
	(void)argument;
	run_sql(p, schema);
}

static void print_settings(struct peer *p, const char *argument)
{
	static const char *const names[] = {"journal_mode", "synchronous",  "cache_size",
	                                    "page_size",    "locking_mode", "busy_timeout",
	                                    "auto_vacuum",  "secure_delete"};

	(void)argument;
	printf("SQLite %s", sqlite3_libversion());
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char text[64];
		sqlite3_stmt *s;

		snprintf(text, sizeof(text), "PRAGMA %s", names[i]);
		if (sqlite3_prepare_v2(p->db, text, -1, &s, NULL) != SQLITE_OK ||
		    sqlite3_step(s) != SQLITE_ROW)
			die_sqlite(p, text);
		printf(" %s=%s", names[i], (const char *)sqlite3_column_text(s, 0));
		sqlite3_finalize(s);
	}
	printf(" wal_autocheckpoint=%d (bulk) %d (single commits) mmap_size=0, %lld (read-mmap, "
	       "scan)\n%s\n",
	       WAL_BULK, WAL_SINGLE, MMAP_BYTES, schema);
}

/* ---- Input. */

/* What stands between the quotes; names with escapes are none of ours. */
static struct span text_of(const struct json_value *v)
{
	if (v->type != JSON_STRING || v->escaped || v->len <= 2)
		die("sqlite_peer: '%.*s' is no name", (int)v->len, v->p);
	return (struct span){v->p + 1, v->len - 2};
}

static struct expect expect_of(const struct json_value *v)
{
	struct span text = v->type == JSON_NUMBER ? (struct span){v->p, v->len} : text_of(v);
	struct expect x;
	struct err e;

	if (expect_parse(text.p, text.len, &x, &e) < 0)
		die("sqlite_peer: %s", e.msg);
	return x;
}

static bool key_is(const struct json_member *m, const char *key, size_t len)
{
	return m->key_len == len && memcmp(m->key, key, len) == 0;
}

#define KEY_IS(m, key) key_is(m, key, sizeof(key) - 1)

static void parse(struct peer *p, struct span line, struct event *ev)
{
	struct err e;

	if (json_scan(line.p, line.len, &p->doc, &e) < 0)
		die("sqlite_peer: %s", e.msg);
	for (size_t i = 0; i < p->doc.members && i < JSON_MEMBERS_MAX; i++) {
		const struct json_member *m = &p->doc.member[i];

		if (KEY_IS(m, "stream")) {
			ev->stream = text_of(&m->value);
		} else if (KEY_IS(m, "type")) {
			ev->type = text_of(&m->value);
		} else if (KEY_IS(m, "id")) {
			ev->id = text_of(&m->value);
		} else if (KEY_IS(m, "expect")) {
			ev->expect = expect_of(&m->value);
		} else if (!KEY_IS(m, "data")) {
			die("sqlite_peer: no attributes, please: '%.*s'", (int)m->key_len, m->key);
		} else if (!m->value.spaced) {
			ev->data = (struct span){m->value.p, m->value.len};
		} else {
			buf_clear(&p->data);
			json_compact(&p->data, &m->value);
			ev->data = (struct span){p->data.data, p->data.len};
		}
	}
	if (ev->stream.len == 0 || ev->type.len == 0 || ev->data.len == 0)
		die("sqlite_peer: no stream, type or data in '%.*s'", (int)line.len, line.p);
}

/* ---- Writing. */

/* The stream's number, and the version of its last event: -1 when there is none. */
static int64_t find_stream(struct peer *p, struct span name, int64_t *ret_last)
{
	sqlite3_stmt *find = get(p, FIND_STREAM);
	int64_t stream;

	*ret_last = -1;
	bind_text(find, 1, name);
	if (step(p, FIND_STREAM)) {
		sqlite3_stmt *last = get(p, LAST_VERSION);

		stream = sqlite3_column_int64(find, 0);
		sqlite3_bind_int64(last, 1, stream);
		if (step(p, LAST_VERSION) && sqlite3_column_type(last, 0) != SQLITE_NULL)
			*ret_last = sqlite3_column_int64(last, 0);
		sqlite3_reset(last);
	} else {
		bind_text(get(p, ADD_STREAM), 1, name);
		step(p, ADD_STREAM);
		sqlite3_reset(p->statements[ADD_STREAM]);
		stream = sqlite3_last_insert_rowid(p->db);
	}
	sqlite3_reset(find);
	return stream;
}

static void check_version(const struct event *ev, int64_t last)
{
	const struct expect *x = &ev->expect;

	if ((x->kind == EXPECT_NONE && last >= 0) || (x->kind == EXPECT_EXISTS && last < 0) ||
	    (x->kind == EXPECT_VERSION && last != (int64_t)x->version))
		die("sqlite_peer: conflict: stream '%.*s' is at version %lld", (int)ev->stream.len,
		    ev->stream.p, (long long)last);
}

/* In a transaction: the event's version. */
static int64_t add_event(struct peer *p, struct event *ev)
{
	sqlite3_stmt *add = get(p, ADD_EVENT);
	char id[ID_UUID_LEN];
	struct err e;
	int64_t last;

	if (ev->id.len == 0) {
		const unsigned char *random = rand_pool_take(&p->pool, 10, &e);

		if (random == NULL)
			die("sqlite_peer: %s", e.msg);
		id_uuid7(id, (uint64_t)(p->now_ns / CLOCK_NS_PER_MS), random);
		ev->id = (struct span){id, sizeof(id)};
	}
	sqlite3_bind_int64(add, 1, find_stream(p, ev->stream, &last));
	check_version(ev, last);
	sqlite3_bind_int64(add, 2, last + 1);
	bind_text(add, 3, ev->id);
	bind_text(add, 4, ev->type);
	sqlite3_bind_int64(add, 5, p->now_ns);
	bind_text(add, 6, ev->data);
	step(p, ADD_EVENT);
	sqlite3_reset(add);
	return last + 1;
}

static void load(struct peer *p, const char *lines)
{
	uint64_t commit = number(lines);
	struct lines in = {0};
	struct span line;
	uint64_t pending = 0;

	while (next_line(&in, &line)) {
		struct event ev = {0};

		parse(p, line, &ev);
		if (pending++ == 0) {
			p->now_ns = clock_wall_ns();
			run(p, BEGIN_WRITE);
		}
		add_event(p, &ev);
		if (pending == commit) {
			run(p, COMMIT);
			pending = 0;
		}
	}
	if (pending > 0)
		run(p, COMMIT);
	buf_done(&in.buf);
}

static void print_receipt(struct peer *p, const struct event *ev, int64_t version)
{
	struct buf *b = &p->out;

	buf_clear(b);
	buf_add_char(b, '{');
	json_out_key(b, "stream");
	json_out_string(b, ev->stream.p, ev->stream.len);
	json_out_key(b, "first");
	json_out_u64_string(b, (uint64_t)version);
	json_out_key(b, "last");
	json_out_u64_string(b, (uint64_t)version);
	json_out_key(b, "sequence");
	json_out_seq(b, (uint64_t)sqlite3_last_insert_rowid(p->db));
	buf_add_str(b, ",\"count\":1,\"duplicate\":false,\"durable\":true}\n");
	write_all(STDOUT_FILENO, b->data, b->len);
}

static void append_each(struct peer *p, const char *stream)
{
	struct lines in = {0};
	struct span line;

	while (next_line(&in, &line)) {
		struct event ev = {.stream = {stream, strlen(stream)}};
		int64_t version;

		parse(p, line, &ev);
		p->now_ns = clock_wall_ns();
		run(p, BEGIN_WRITE);
		version = add_event(p, &ev);
		run(p, COMMIT);
		print_receipt(p, &ev, version);
	}
	buf_done(&in.buf);
}

/* ---- Reading. */

static struct span column(sqlite3_stmt *s, int at)
{
	const char *text = (const char *)sqlite3_column_text(s, at);

	return (struct span){text, (size_t)sqlite3_column_bytes(s, at)};
}

static void print_rows(struct peer *p, enum statement which)
{
	sqlite3_stmt *s = get(p, which);

	while (step(p, which)) {
		struct frame f = {.seq = (uint64_t)sqlite3_column_int64(s, 0),
		                  .version = (uint32_t)sqlite3_column_int64(s, 1),
		                  .id = column(s, 2),
		                  .type = column(s, 3),
		                  .time_ns = (uint64_t)sqlite3_column_int64(s, 4),
		                  .data = column(s, 5),
		                  .stream = column(s, 6),
		                  .attrs = {"-", 1}};

		event_put_json(&p->out, &p->writer, &f);
		buf_add_char(&p->out, '\n');
		if (p->out.len >= BLOCK_SIZE) {
			write_all(STDOUT_FILENO, p->out.data, p->out.len);
			buf_clear(&p->out);
		}
	}
	sqlite3_reset(s);
}

static void end_reading(struct peer *p)
{
	write_all(STDOUT_FILENO, p->out.data, p->out.len);
	run(p, COMMIT);
}

static void read_streams(struct peer *p, const char *argument)
{
	struct lines in = {0};
	struct span name;

	(void)argument;
	run(p, BEGIN_READ);
	while (next_line(&in, &name)) {
		bind_text(get(p, READ_STREAM), 1, name);
		print_rows(p, READ_STREAM);
	}
	buf_done(&in.buf);
	end_reading(p);
}

static void scan(struct peer *p, const char *argument)
{
	(void)argument;
	run(p, BEGIN_READ);
	print_rows(p, READ_ALL);
	end_reading(p);
}

int main(int argc, char **argv)
{
	enum { MAKES = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, USES = SQLITE_OPEN_READWRITE };
	static const struct verb verbs[] = {
	    {"init", init, false, MAKES, WAL_BULK, 0},
	    {"settings", print_settings, false, USES, WAL_BULK, 0},
	    {"load", load, true, USES, WAL_BULK, 0},
	    {"each", append_each, true, USES, WAL_SINGLE, 0},
	    {"read", read_streams, false, USES, WAL_BULK, 0},
	    {"read-mmap", read_streams, false, USES, WAL_BULK, MMAP_BYTES},
	    {"scan", scan, false, USES, WAL_BULK, MMAP_BYTES},
	};
	struct peer p = {0};

	for (size_t i = 0; argc >= 3 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		const struct verb *v = &verbs[i];

		if (strcmp(argv[1], v->name) != 0 || argc != 3 + v->has_argument)
			continue;
		open_db(&p, argv[2], v);
		v->run(&p, argv[3]);
		close_db(&p);
		return 0;
	}
	die("usage: sqlite_peer init|settings|load|each|read|scan DB [COMMIT|STREAM]");
}
