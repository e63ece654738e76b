/*
 * db: SQLite as evlog uses it.
 *
 * WAL, so that readers do not wait for us and we not for them; a commit is on disk when it
 * returns (synchronous=FULL).  Other writers are waited for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "helper.h"
#include "os/clock.h"
#include "tool/tool.h"

#define NAP_MIN_MS    1
#define NAP_MAX_MS    20
#define TELL_AFTER_MS 1000
#define SWITCH_MS     2000 /* to wait for readers when a database is to become a WAL one */

/* ---- Errors. */

bool db_is_poison(int code)
{
	switch (code & 0xff) {
	case SQLITE_ERROR:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
	case SQLITE_RANGE:
	case SQLITE_AUTH:
	case SQLITE_MISUSE:
	case SQLITE_ABORT:
		return true;
	default:
		return false;
	}
}

static int status_of(const struct db *d, int code, int system)
{
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return TOOL_TEMPFAIL;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return TOOL_NOPERM;
	case SQLITE_CANTOPEN:
		if (system == EACCES || system == EPERM || system == EROFS)
			return TOOL_NOPERM;
		return d->reading ? TOOL_NOINPUT : TOOL_CANTCREAT;
	case SQLITE_NOTADB:
		return TOOL_CONFIG;
	case SQLITE_NOMEM:
		return TOOL_OSERR;
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_CORRUPT:
	case SQLITE_PROTOCOL:
		return TOOL_IOERR;
	default:
		return TOOL_DATA;
	}
}

void db_fail(struct db *d, const char *what)
{
	int code = sqlite3_extended_errcode(d->handle);
	int system = sqlite3_system_errno(d->handle);
	bool is_system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;

	if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED)
		die(TOOL_TEMPFAIL, "'%s' is locked by another process", d->path);
	if ((code & 0xff) == SQLITE_CORRUPT)
		die(TOOL_IOERR, "'%s' is damaged: %s; move it away to make the model anew", d->path,
		    sqlite3_errmsg(d->handle));
	die(status_of(d, code, system), "'%s': %s: %s", d->path, what,
	    is_system && system != 0 ? strerror(system) : sqlite3_errmsg(d->handle));
}

static void must(struct db *d, int code, const char *what)
{
	if (code != SQLITE_OK)
		db_fail(d, what);
}

/* ---- Waiting for locks. */

static void nap_ms(int64_t ms)
{
	struct timespec t = {.tv_sec = 0, .tv_nsec = (long)(ms * CLOCK_NS_PER_MS)};

	nanosleep(&t, NULL);
}

/* SQLite calls it with the number of calls so far; 0 gives up. */
static int wait_for_lock(void *arg, int count)
{
	struct db *d = arg;
	int64_t now = clock_mono_ns();
	int64_t waited_ms;

	if (count == 0)
		d->waiting_since_ns = now;
	waited_ms = (now - d->waiting_since_ns) / CLOCK_NS_PER_MS;
	if (waited_ms >= d->wait_ms)
		return 0;
	if (waited_ms >= TELL_AFTER_MS && !d->told) {
		tool_warn("'%s' is locked by another process; waiting", d->path);
		d->told = true;
	}
	nap_ms(count < NAP_MAX_MS ? NAP_MIN_MS + count : NAP_MAX_MS);
	return 1;
}

/* ---- What SQL of others may not do. */

static bool is_table(const char *name)
{
	return name != NULL && sqlite3_stricmp(name, TABLE) == 0;
}

static bool is_harmless_pragma(enum author author, const char *name)
{
	/* Virtual tables ask for the first one by themselves. */
	if (sqlite3_stricmp(name, "data_version") == 0)
		return true;
	return author == AUTHOR_SCHEMA && (sqlite3_stricmp(name, "user_version") == 0 ||
	                                   sqlite3_stricmp(name, "application_id") == 0);
}

static const char *forbidden(enum author author, int action, const char *a, const char *b)
{
	switch (action) {
	case SQLITE_TRANSACTION:
	case SQLITE_SAVEPOINT:
		return "BEGIN, COMMIT, ROLLBACK and SAVEPOINT are not possible here";
	case SQLITE_ATTACH:
	case SQLITE_DETACH:
		return "ATTACH and DETACH are not possible here";
	case SQLITE_PRAGMA:
		return is_harmless_pragma(author, a) ? NULL : "PRAGMA is not possible here";
	case SQLITE_INSERT:
	case SQLITE_UPDATE:
	case SQLITE_DELETE:
	case SQLITE_DROP_TABLE:
	case SQLITE_CREATE_TABLE:
		return is_table(a) ? "the table " TABLE " is evlog's own" : NULL;
	case SQLITE_ALTER_TABLE:
	case SQLITE_CREATE_TRIGGER:
	case SQLITE_CREATE_TEMP_TRIGGER:
	case SQLITE_CREATE_INDEX:
		return is_table(b) ? "the table " TABLE " is evlog's own" : NULL;
	default:
		return NULL;
	}
}

static int authorize(void *arg, int action, const char *a, const char *b, const char *database,
                     const char *trigger)
{
	struct db *d = arg;
	const char *why;

	(void)database;
	(void)trigger;
	if (d->author == AUTHOR_US)
		return SQLITE_OK;
	why = forbidden(d->author, action, a, b);
	if (why == NULL)
		return SQLITE_OK;
	d->denied = why;
	return SQLITE_DENY;
}

/* ---- Statements of our own. */

sqlite3_stmt *db_prepare(struct db *d, const char *sql)
{
	sqlite3_stmt *s = NULL;

	must(d, sqlite3_prepare_v2(d->handle, sql, -1, &s, NULL), sql);
	return s;
}

void db_exec(struct db *d, const char *sql)
{
	must(d, sqlite3_exec(d->handle, sql, NULL, NULL, NULL), sql);
}

int64_t db_number(struct db *d, const char *sql)
{
	sqlite3_stmt *s = db_prepare(d, sql);
	int64_t n = 0;
	int code = sqlite3_step(s);

	if (code == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	else if (code != SQLITE_DONE)
		db_fail(d, sql);
	sqlite3_finalize(s);
	return n;
}

bool db_has_tables(struct db *d)
{
	return db_number(d, "SELECT count(*) FROM sqlite_master WHERE type='table' AND "
	                    "name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name<>'" TABLE "'") > 0;
}

void db_begin(struct db *d)
{
	/* IMMEDIATE: who waits for a lock has none that others wait for. */
	db_exec(d, "BEGIN IMMEDIATE");
}

void db_commit(struct db *d)
{
	int moved = 0;

	sqlite3_file_control(d->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	if (moved)
		die(TOOL_IOERR, "'%s' was moved or removed while it was in use", d->path);
	db_exec(d, "COMMIT");
}

void db_rollback(struct db *d)
{
	/* Some errors have done that already. */
	if (!sqlite3_get_autocommit(d->handle))
		db_exec(d, "ROLLBACK");
}

/* ---- Opening. */

static struct db *open_as(const char *path, int flags, int64_t wait_ms)
{
	struct db *d = tool_alloc(1, sizeof(*d));
	int code;

	d->path = strdup(path);
	if (d->path == NULL)
		die(TOOL_OSERR, "out of memory");
	d->wait_ms = wait_ms;
	d->reading = (flags & SQLITE_OPEN_READONLY) != 0;
	code = sqlite3_open_v2(path, &d->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (d->handle == NULL)
		die(TOOL_OSERR, "out of memory");
	if (code != SQLITE_OK)
		db_fail(d, "open");
	sqlite3_extended_result_codes(d->handle, 1);
	sqlite3_busy_handler(d->handle, wait_for_lock, d);
	/* A name of no column is an error, never a string: it may come from an event. */
	sqlite3_db_config(d->handle, SQLITE_DBCONFIG_DQS_DML, 0, (int *)NULL);
	sqlite3_limit(d->handle, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_set_authorizer(d->handle, authorize, d);
	return d;
}

/* Readers that hold on to a database of another mode are not waited for: it stays as it is. */
static void switch_to_wal(struct db *d)
{
	int64_t wait_ms = d->wait_ms;

	d->wait_ms = wait_ms < SWITCH_MS ? wait_ms : SWITCH_MS;
	d->told = true;
	if (sqlite3_exec(d->handle, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) != SQLITE_OK &&
	    (sqlite3_errcode(d->handle) & 0xff) != SQLITE_BUSY)
		db_fail(d, "open");
	d->wait_ms = wait_ms;
	d->told = false;
}

struct db *db_open(const char *path, int64_t wait_ms)
{
	struct db *d = open_as(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, wait_ms);
	int keep = 1;

	if (sqlite3_db_readonly(d->handle, "main") == 1)
		die(TOOL_NOPERM, "'%s' is read-only", path);
	switch_to_wal(d);
	/* Who may only read the database could not make these files again. */
	sqlite3_file_control(d->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	db_exec(d, "PRAGMA synchronous=FULL");
	db_exec(d, "PRAGMA cache_size=-65536");
	db_exec(d, "PRAGMA journal_size_limit=67108864");
	return d;
}

/* Nobody else sees it, and after a crash it is thrown away. */
struct db *db_open_to_build(const char *path, int64_t page_size)
{
	struct db *d = open_as(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 0);
	char pragma[64];

	sqlite3_snprintf((int)sizeof(pragma), pragma, "PRAGMA page_size=%lld",
	                 (long long)page_size);
	db_exec(d, pragma);
	db_exec(d, "PRAGMA locking_mode=EXCLUSIVE");
	db_exec(d, "PRAGMA journal_mode=MEMORY");
	db_exec(d, "PRAGMA synchronous=OFF");
	db_exec(d, "PRAGMA cache_size=-262144");
	return d;
}

struct db *db_open_to_read(const char *path)
{
	return open_as(path, SQLITE_OPEN_READONLY, 1000);
}

void db_close(struct db *d)
{
	if (d == NULL)
		return;
	sqlite3_close(d->handle);
	free(d->path);
	free(d);
}

/*
 * Not by rename: a process that has the old file open finds its journal or WAL by its name, and
 * would take the new one's for its own.
 */
void db_copy(struct db *from, struct db *to)
{
	int64_t deadline = clock_mono_ns() + to->wait_ms * CLOCK_NS_PER_MS;
	sqlite3_backup *b = sqlite3_backup_init(to->handle, "main", from->handle, "main");
	int code;

	if (b == NULL)
		db_fail(to, "replace");
	while ((code = sqlite3_backup_step(b, -1)) == SQLITE_BUSY || code == SQLITE_LOCKED) {
		if (clock_mono_ns() >= deadline)
			break;
		nap_ms(NAP_MAX_MS);
	}
	sqlite3_backup_finish(b);
	if (code != SQLITE_DONE)
		db_fail(to, "replace");
}
