/*
 * kv: the state machine of raftd at a million keys, beside SQLite in memory.
 *
 *	kv KEYS VALUE_LEN
 *
 * One line a measure: NAME, OURS, PEER, RATIO, in the unit that the name says; times are of the
 * processor.  Ours is all of
 * kv_apply(): decoding the command, the change, the hash of the state, the result.  SQLite's is a
 * prepared statement on a table without rowid, in one transaction of all, with no journal.
 */
#include <malloc.h>
#include <time.h>

#include <sqlite3.h>

#include "bench.h"
#include "kv/kv.h"

#define KEY_LEN 24

struct bench {
	uint64_t keys;
	size_t value_len;
	struct kv *kv;
	struct kv_output out;
	uint64_t index;
	sqlite3 *db;
	sqlite3_stmt *put, *get, *scan;
	char *value;
};

/* This is one thread that computes: its own time does not depend on what else the machine does. */
static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * CLOCK_NS_PER_SEC + t.tv_nsec;
}

/* Random order, the same in each run; a prefix that all have, as keys have. */
static struct span key_of(char to[KEY_LEN + 1], uint64_t i)
{
	snprintf(to, KEY_LEN + 1, "config/%017llx", (unsigned long long)mix(1, i));
	return (struct span){to, KEY_LEN};
}

/* ---- Ours. */

static void apply(struct bench *b, const struct kv_command *c)
{
	static struct buf bytes;
	struct kv_input in = {.index = ++b->index};
	struct err e;

	bytes.len = 0;
	if (kv_command_put(&bytes, c, &e) < 0)
		die("%s", e.msg);
	in.command = (struct span){bytes.data, bytes.len};
	if (kv_apply(b->kv, &in, &b->out, &e) < 0)
		die("%s", e.msg);
}

static void put(struct bench *b, uint64_t i, char fill)
{
	static struct kv_command c = {.type = KV_ONE, .op_count = 1};
	char key[KEY_LEN + 1];

	memset(b->value, fill, b->value_len);
	c.ops[0] = (struct kv_op){
	    .verb = KV_SET, .key = key_of(key, i), .value = {b->value, b->value_len}};
	apply(b, &c);
}

static double put_all(struct bench *b, char fill)
{
	int64_t begin = cpu_ns();

	for (uint64_t i = 0; i < b->keys; i++)
		put(b, i, fill);
	return (double)(cpu_ns() - begin) / (double)b->keys;
}

static double get_all(struct bench *b)
{
	int64_t begin = cpu_ns();

	for (uint64_t i = 0; i < b->keys; i++) {
		char key[KEY_LEN + 1];
		struct kv_entry e;

		if (!kv_get(b->kv, key_of(key, mix(2, i) % b->keys), &e))
			die("a key is missing");
	}
	return (double)(cpu_ns() - begin) / (double)b->keys;
}

static double scan_all(struct bench *b)
{
	int64_t begin = cpu_ns();
	struct kv_cursor c;
	struct kv_entry e;
	uint64_t n = 0;
	uint64_t sum = 0;

	for (kv_scan(b->kv, (struct span){"", 0}, &c); kv_cursor_next(&c, &e); n++)
		sum += (unsigned char)e.value.p[0];
	kv_cursor_done(&c);
	if (n != b->keys || sum == 0)
		die("a key is missing");
	return (double)(cpu_ns() - begin) / (double)n;
}

/* ---- SQLite. */

static void sql(struct bench *b, const char *text)
{
	if (sqlite3_exec(b->db, text, NULL, NULL, NULL) != SQLITE_OK)
		die("sqlite: %s: %s", text, sqlite3_errmsg(b->db));
}

static sqlite3_stmt *prepare(struct bench *b, const char *text)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(b->db, text, -1, &s, NULL) != SQLITE_OK)
		die("sqlite: %s: %s", text, sqlite3_errmsg(b->db));
	return s;
}

static void open_peer(struct bench *b)
{
	if (sqlite3_open(":memory:", &b->db) != SQLITE_OK)
		die("sqlite: cannot open");
	sql(b, "PRAGMA journal_mode = OFF; PRAGMA locking_mode = EXCLUSIVE;"
	       "CREATE TABLE kv (key BLOB PRIMARY KEY, value BLOB, flags INTEGER, made INTEGER,"
	       " modified INTEGER) WITHOUT ROWID; BEGIN");
	b->put = prepare(b, "INSERT INTO kv VALUES (?1, ?2, 0, ?3, ?3) ON CONFLICT (key)"
	                    " DO UPDATE SET value = ?2, modified = ?3");
	b->get = prepare(b, "SELECT value, flags, made, modified FROM kv WHERE key = ?1");
	b->scan = prepare(b, "SELECT key, value, flags, made, modified FROM kv ORDER BY key");
}

static double peer_put_all(struct bench *b, char fill)
{
	int64_t begin = cpu_ns();

	for (uint64_t i = 0; i < b->keys; i++) {
		char key[KEY_LEN + 1];

		memset(b->value, fill, b->value_len);
		key_of(key, i);
		sqlite3_bind_blob(b->put, 1, key, KEY_LEN, SQLITE_STATIC);
		sqlite3_bind_blob(b->put, 2, b->value, (int)b->value_len, SQLITE_STATIC);
		sqlite3_bind_int64(b->put, 3, (sqlite3_int64)i);
		if (sqlite3_step(b->put) != SQLITE_DONE)
			die("sqlite: %s", sqlite3_errmsg(b->db));
		sqlite3_reset(b->put);
	}
	return (double)(cpu_ns() - begin) / (double)b->keys;
}

static double peer_get_all(struct bench *b)
{
	int64_t begin = cpu_ns();

	for (uint64_t i = 0; i < b->keys; i++) {
		char key[KEY_LEN + 1];

		key_of(key, mix(2, i) % b->keys);
		sqlite3_bind_blob(b->get, 1, key, KEY_LEN, SQLITE_STATIC);
		if (sqlite3_step(b->get) != SQLITE_ROW || sqlite3_column_blob(b->get, 0) == NULL)
			die("sqlite: a key is missing");
		sqlite3_reset(b->get);
	}
	return (double)(cpu_ns() - begin) / (double)b->keys;
}

static double peer_scan_all(struct bench *b)
{
	int64_t begin = cpu_ns();
	uint64_t n = 0;

	while (sqlite3_step(b->scan) == SQLITE_ROW) {
		if (sqlite3_column_blob(b->scan, 1) == NULL)
			die("sqlite: no value");
		n++;
	}
	sqlite3_reset(b->scan);
	if (n != b->keys)
		die("sqlite: a key is missing");
	return (double)(cpu_ns() - begin) / (double)n;
}

/* ---- While a snapshot runs. */

/* A walk, and between any 100 keys of it a piece of a snapshot: both, in ns a key of the walk. */
static double scan_in_snapshot(struct bench *b, double *ret_snapshot_ns)
{
	struct kv_snapshot *s = kv_snapshot_begin(b->kv);
	char *piece = allocate(1, 64 << 10);
	int64_t snapshot_ns = 0;
	int64_t begin = cpu_ns();
	struct kv_cursor c;
	struct kv_entry e;
	struct err err;

	kv_scan(b->kv, (struct span){"", 0}, &c);
	for (uint64_t n = 0; kv_cursor_next(&c, &e); n++)
		if (n % 100 == 0) {
			int64_t from = cpu_ns();

			if (kv_snapshot_read(s, piece, 64 << 10, &err) < 0)
				die("%s", err.msg);
			snapshot_ns += cpu_ns() - from;
		}
	kv_cursor_done(&c);
	kv_snapshot_end(s);
	free(piece);
	*ret_snapshot_ns = (double)snapshot_ns / (double)b->keys;
	return (double)(cpu_ns() - begin - snapshot_ns) / (double)b->keys;
}

/* Overwriting a tenth of all while one is open that shares everything. */
static double put_in_snapshot(struct bench *b)
{
	struct kv_snapshot *s = kv_snapshot_begin(b->kv);
	int64_t begin = cpu_ns();
	double ns;

	for (uint64_t i = 0; i < b->keys / 10; i++)
		put(b, i * 10, 's');
	ns = (double)(cpu_ns() - begin) / ((double)b->keys / 10);
	kv_snapshot_end(s);
	return ns;
}

static double snapshot_and_restore(struct bench *b, double *ret_restore_ns)
{
	struct kv_snapshot *s = kv_snapshot_begin(b->kv);
	struct kv_restore *r = kv_restore_begin();
	char *piece = allocate(1, 256 << 10);
	int64_t begin = cpu_ns();
	int64_t restore_ns = 0;
	int64_t from;
	struct err e = {0};
	int64_t n;

	while ((n = kv_snapshot_read(s, piece, 256 << 10, &e)) > 0) {
		from = cpu_ns();
		if (kv_restore_write(r, piece, (size_t)n, &e) < 0)
			die("%s", e.msg);
		restore_ns += cpu_ns() - from;
	}
	from = cpu_ns();
	kv_snapshot_end(s);
	if (n < 0 || kv_restore_commit(r, b->kv, &b->out, &e) < 0)
		die("%s", e.msg);
	restore_ns += cpu_ns() - from;
	free(piece);
	*ret_restore_ns = (double)restore_ns / (double)b->keys;
	return (double)(cpu_ns() - begin - restore_ns) / (double)b->keys;
}

static void watch_prefixes(struct bench *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char key[32];
		struct kv_watch_spec spec = {.kind = i % 2 ? KV_WATCH_PREFIX : KV_WATCH_KEY,
		                             .since = UINT64_MAX - 1};
		struct kv_watch *w;
		struct err e;

		snprintf(key, sizeof(key), "config/%08x", (unsigned)mix(3, i));
		spec.key = (struct span){key, strlen(key)};
		if (kv_watch_add(b->kv, &spec, &w, &e) < 0)
			die("%s", e.msg);
	}
}

/* ---- */

static void row(const char *name, double ours, double peer)
{
	if (peer > 0)
		printf("%s\t%.0f\t%.0f\t%.1f\n", name, ours, peer, peer / ours);
	else
		printf("%s\t%.0f\t\t\n", name, ours);
	fflush(stdout);
}

static void measure_memory(struct bench *b, double ours)
{
	struct kv_stat stat;
	double keys = (double)b->keys;

	kv_get_stat(b->kv, &stat);
	row("bytes a key, with what malloc adds", ours / keys,
	    (double)sqlite3_memory_used() / keys);
	row("bytes a key, as kv_get_stat() has it", (double)stat.bytes / keys, 0);
	row("bytes a key, of it key and value", (double)(KEY_LEN + b->value_len), 0);
}

static void measure_snapshots(struct bench *b, double put_ns, double scan_ns)
{
	double other;
	double ns = scan_in_snapshot(b, &other);

	row("ns a key, scan while a snapshot runs / alone", ns, scan_ns);
	row("ns a key, that snapshot", other, 0);
	row("ns a put while a snapshot is open / alone", put_in_snapshot(b), put_ns);
	ns = snapshot_and_restore(b, &other);
	row("ns a key, snapshot", ns, 0);
	row("ns a key, restore with all checks", other, 0);
}

static void measure_hash(struct bench *b)
{
	uint64_t sum = 0;
	int64_t begin = cpu_ns();

	for (int i = 0; i < 1000000; i++)
		sum += kv_hash(b->kv) + (uint64_t)i;
	row(sum != 0 ? "ns, state hash" : "", (double)(cpu_ns() - begin) / 1e6, 0);
}

int main(int argc, char **argv)
{
	struct bench b = {.kv = kv_new()};
	size_t before = mallinfo2().uordblks;
	double bytes;
	double ours;
	double put_ns;

	if (argc != 3)
		die("usage: kv KEYS VALUE_LEN");
	b.keys = number(argv[1]);
	b.value_len = number(argv[2]);
	b.value = allocate(1, b.value_len + 1);
	put_ns = put_all(&b, 'a');
	bytes = (double)(mallinfo2().uordblks - before);
	open_peer(&b);
	row("ns a put of a new key", put_ns, peer_put_all(&b, 'a'));
	measure_memory(&b, bytes);
	put_ns = put_all(&b, 'b');
	row("ns a put of a key that is there", put_ns, peer_put_all(&b, 'b'));
	row("ns a get", get_all(&b), peer_get_all(&b));
	ours = scan_all(&b);
	row("ns a key of a scan", ours, peer_scan_all(&b));
	measure_snapshots(&b, put_ns, ours);
	measure_hash(&b);
	watch_prefixes(&b, 10000);
	row("ns a put with 10000 idle watches / without", put_all(&b, 'c'), put_ns);
	kv_output_done(&b.out);
	kv_free(b.kv);
	return 0;
}
