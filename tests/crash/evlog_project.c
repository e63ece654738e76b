/*
 * evlog_project: `evlog project` under kill -9, to a database and to files.
 *
 * usage: evlog_project [ROUNDS]
 *
 * In each round one of the two models is brought forward, in small batches, at times made anew;
 * the process, or one of its children (jq, evlog-sqlite, a guard), is killed at any moment.  After
 * each kill the model is just what the events up to its own position make of it, told by a
 * second, simple way, and the position never goes back but when it was made anew.  In the end
 * both have all events.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "crash.h"
#include "evlog/admin.h"
#include "evlog/append.h"
#include "evlog/read.h"
#include "evlog/rowdir.h"
#include "evlog_check.h"
#include "seeded.h"

#define KEYS         7
#define SEGMENT_SIZE (1u << 20)
#define KILL_MAX_US  120000
#define ROWS_MAX     4096 /* bytes of all rows as text */

static const char program_text[] =
    "if .type == \"Gone\" then {delete: \"t\", key: {id: .subject}}\n"
    "else {upsert: \"t\", key: {id: .subject}, set: {last: .data}, add: {sum: .data, n: 1}} end\n";
static const char schema_text[] =
    "CREATE TABLE t(id TEXT PRIMARY KEY, last INTEGER, sum INTEGER, n INTEGER);\n";

enum model { DATABASE, FILES, MODELS };

static const char *const names[MODELS] = {"db", "files"};

static const struct crash_counts round_counts = {.usual = 24, .soak = 400, .sanitized = 10};

static char store[300], program[300], schema[300], errors[300], into[MODELS][320];
static uint64_t end_of_log;
static unsigned kills, child_kills, whole_runs, positions, rebuilds;

/* ---- Events, and what they make. */

struct event_of {
	unsigned key;
	bool gone;
	int64_t n;
};

static struct event_of event_at(uint64_t seq)
{
	uint64_t rng = seq * 48271;

	return (struct event_of){.key = (unsigned)seeded_below(&rng, KEYS),
	                         .gone = seeded_below(&rng, 12) == 0,
	                         .n = (int64_t)seeded_below(&rng, 1000) - 300};
}

/* "k0 LAST SUM N" for each row. */
static void expect_rows(uint64_t seq, char rows[ROWS_MAX])
{
	struct {
		bool there;
		int64_t last, sum, n;
	} row[KEYS] = {{.there = false}};

	for (uint64_t i = 1; i <= seq; i++) {
		struct event_of ev = event_at(i);

		if (ev.gone) {
			memset(&row[ev.key], 0, sizeof(row[ev.key]));
			continue;
		}
		row[ev.key].there = true;
		row[ev.key].last = ev.n;
		row[ev.key].sum += ev.n;
		row[ev.key].n++;
	}
	rows[0] = '\0';
	for (unsigned k = 0; k < KEYS; k++)
		if (row[k].there)
			snprintf(rows + strlen(rows), ROWS_MAX - strlen(rows), "k%u %jd %jd %jd\n",
			         k, (intmax_t)row[k].last, (intmax_t)row[k].sum,
			         (intmax_t)row[k].n);
}

static void append_events(struct evlog *s, unsigned count)
{
	struct commit *c = commit_new();
	struct commit_result r;
	struct err e;

	commit_clear(c);
	for (unsigned i = 0; i < count; i++) {
		struct event_of ev = event_at(++end_of_log);
		char stream[8], id[24], data[24];

		snprintf(stream, sizeof(stream), "k%u", ev.key);
		snprintf(id, sizeof(id), "e%ju", (uintmax_t)end_of_log);
		snprintf(data, sizeof(data), "%jd", (intmax_t)ev.n);
		if (commit_add(c, s,
		               &(struct event){.stream = {stream, strlen(stream)},
		                               .type = {ev.gone ? "Gone" : "T", ev.gone ? 4 : 1},
		                               .id = {id, strlen(id)},
		                               .attrs = {"-", 1},
		                               .data = {data, strlen(data)},
		                               .expect = {.kind = EXPECT_ANY}},
		               &e) < 0)
			crash_die("%s", e.msg);
	}
	if (evlog_commit(s, c, COMMIT_ATOMIC, CHECK_TIME_NS + (int64_t)end_of_log, &r, &e) < 0 ||
	    evlog_sync(s, r.sequence, &e) < 0)
		crash_die("%s", e.msg);
	commit_free(c);
}

/* ---- Looking into the models. */

/* What a command prints; false: it failed. */
static bool read_command(const char *const *argv, char *text, size_t max)
{
	int out;
	size_t len = 0;
	ssize_t n;
	pid_t pid = crash_start(argv, errors, &out);

	while (len < max - 1 && (n = read(out, text + len, max - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(out);
	return crash_wait(pid) == 0;
}

/* The position; 0: there is no model yet. */
static uint64_t read_database(char rows[ROWS_MAX])
{
	static char sql[] = "BEGIN; SELECT sequence FROM evlog_projection; "
			    "SELECT id, last, sum, n FROM t ORDER BY id;";
	char *path = into[DATABASE] + strlen("sqlite:");
	const char *argv[] = {"sqlite3", "-bail", "-cmd", ".timeout 20000", "-separator", " ",
	                      path,      sql,     NULL};
	static bool begun;
	char *lf;
	uint64_t seq;

	rows[0] = '\0';
	if (access(path, F_OK) < 0)
		return 0;
	/* Tables come with the first batch. */
	if (!read_command(argv, rows, ROWS_MAX)) {
		if (begun)
			crash_die("the database cannot be read");
		rows[0] = '\0';
		return 0;
	}
	begun = true;
	seq = strtoull(rows, &lf, 10);
	if (*lf != '\n')
		crash_die("the database says '%s'", rows);
	memmove(rows, lf + 1, strlen(lf));
	return seq;
}

static int64_t member(const struct json_doc *d, const char *key)
{
	const struct json_value *v = json_find(d, key);

	if (v == NULL || v->type != JSON_NUMBER)
		crash_die("a row without '%s'", key);
	return strtoll(v->p, NULL, 10);
}

static void put_file_row(unsigned k, struct span text, char rows[ROWS_MAX])
{
	struct json_doc d;
	struct err e;

	if (json_scan(text.p, text.len, &d, &e) < 0)
		crash_die("row k%u: %s", k, e.msg);
	snprintf(rows + strlen(rows), ROWS_MAX - strlen(rows), "k%u %jd %jd %jd\n", k,
	         (intmax_t)member(&d, "last"), (intmax_t)member(&d, "sum"),
	         (intmax_t)member(&d, "n"));
}

static uint64_t read_files(const char *uuid, char rows[ROWS_MAX])
{
	const char *path = into[FILES] + strlen("file:");
	const struct rowdir_owner owner = {.name = names[FILES], .store = uuid};
	struct mark mark;
	uint64_t in_files;
	struct err e;
	int r = rowdir_read_mark(path, &owner, &mark, &in_files, &e);

	rows[0] = '\0';
	if (r < 0)
		crash_die("%s", e.msg);
	for (unsigned k = 0; r > 0 && k < KEYS; k++) {
		struct buf row = {0};
		char name[24];
		int found;

		snprintf(name, sizeof(name), "t/k%u.json", k);
		found = rowdir_read_row(path, span_str(name), &row, &e);
		if (found < 0)
			crash_die("%s", e.msg);
		if (found > 0)
			put_file_row(k, (struct span){row.data, row.len}, rows);
		buf_done(&row);
	}
	return r > 0 ? mark.sequence : 0;
}

static uint64_t check_model(enum model m, const char *uuid)
{
	static char have[ROWS_MAX], want[ROWS_MAX];
	uint64_t seq = m == DATABASE ? read_database(have) : read_files(uuid, have);

	expect_rows(seq, want);
	if (strcmp(have, want) != 0)
		crash_die("%s at %ju has\n%swanted\n%s", names[m], (uintmax_t)seq, have, want);
	return seq;
}

/* ---- Killing. */

static pid_t start(enum model m, uint64_t *rng, bool *ret_rebuild)
{
	char count[12];
	const char *argv[20] = {"evlog", "project", names[m], "-s", store, "-j",
	                        program, "--into",  into[m],  "-n", count};
	size_t n = 11;

	snprintf(count, sizeof(count), "%u", 1 + (unsigned)seeded_below(rng, 40));
	*ret_rebuild = seeded_below(rng, 6) == 0;
	if (*ret_rebuild)
		argv[n++] = "--rebuild";
	if (m == DATABASE) {
		argv[n++] = "--schema";
		argv[n++] = schema;
	}
	if (seeded_below(rng, 4) == 0)
		argv[n++] = "-f";
	argv[n] = NULL;
	return crash_start(argv, errors, NULL);
}

static void strike(pid_t pid, uint64_t *rng)
{
	pid_t child = 0;
	int status;

	crash_nap_us(seeded_below(rng, KILL_MAX_US));
	if (seeded_below(rng, 4) == 0)
		child = crash_child_of(pid, seeded_next(rng));
	if (child != 0 && kill(child, SIGKILL) == 0) {
		child_kills++;
		/* It may notice, or do without that child for now. */
		crash_nap_us(20000);
	}
	kill(pid, SIGKILL);
	status = crash_wait(pid);
	if (WIFSIGNALED(status))
		kills++;
	else if (WEXITSTATUS(status) == 0)
		whole_runs++;
	else if (child == 0)
		crash_die("evlog project ended with status %d", WEXITSTATUS(status));
}

static void finish(enum model m, const char *uuid)
{
	const char *argv[] = {
	    "evlog", "project", names[m], "-s",    store,
	    "-j",    program,   "--into", into[m], m == DATABASE ? "--schema" : NULL,
	    schema,  NULL};
	char text[64];

	if (!read_command(argv, text, sizeof(text)))
		crash_die("the last run of %s failed", names[m]);
	if (check_model(m, uuid) != end_of_log)
		crash_die("%s is not at the end", names[m]);
}

static void run(struct evlog *s, const char *uuid, unsigned rounds, uint64_t rng)
{
	uint64_t at[MODELS] = {0};

	for (unsigned i = 0; i < rounds; i++) {
		enum model m = (enum model)(i % MODELS);
		bool rebuild;
		uint64_t seq;

		append_events(s, 1 + (unsigned)seeded_below(&rng, 400));
		strike(start(m, &rng, &rebuild), &rng);
		seq = check_model(m, uuid);
		if (seq < at[m])
			crash_die("%s was at %ju and is at %ju", names[m], (uintmax_t)at[m],
			          (uintmax_t)seq);
		positions += seq != at[m] && seq != end_of_log;
		rebuilds += rebuild;
		at[m] = seq;
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = crash_rounds(argc, argv, &round_counts);
	uint64_t rng = seeded();
	char uuid[33] = {0};
	struct evlog_stat st;
	struct evlog *s;
	struct err e;

	crash_dir_new();
	snprintf(store, sizeof(store), "%s/store", crash_dir);
	snprintf(errors, sizeof(errors), "%s/errors", crash_dir);
	snprintf(into[DATABASE], sizeof(into[DATABASE]), "sqlite:%s/m.db", crash_dir);
	snprintf(into[FILES], sizeof(into[FILES]), "file:%s/m", crash_dir);
	snprintf(program, sizeof(program), "%s/p.jq", crash_dir);
	snprintf(schema, sizeof(schema), "%s/t.sql", crash_dir);
	crash_write_file(program, program_text);
	crash_write_file(schema, schema_text);
	if (check_create(store, SEGMENT_SIZE, NULL, &e) < 0)
		crash_die("%s", e.msg);
	s = check_open(store, NULL, &e);
	if (s == NULL || evlog_get_stat(s, &st, &e) < 0)
		crash_die("%s", e.msg);
	memcpy(uuid, st.uuid, 32);
	append_events(s, 3000);
	run(s, uuid, rounds, rng);
	for (int m = 0; m < MODELS; m++)
		finish((enum model)m, uuid);
	printf("# %u rounds: killed %u times and %u children, %u ended before; %u landed between "
	       "two batches, %u while a model was made anew\n",
	       rounds, kills, child_kills, whole_runs, positions, rebuilds);
	evlog_close(s);
	crash_dir_free();
	printf("ok 1 - each model is what the events up to its position make of it\n1..1\n");
	return 0;
}
