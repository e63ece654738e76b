#include "rowdir_model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seeded.h"

#define TABLES 2
#define KEYS   5

/* One row as the outputs below make it. */
struct row {
	bool there;
	int64_t n;
	uint64_t last;
};

struct model {
	struct row row[TABLES][KEYS];
};

struct change {
	unsigned table, key;
	bool remove;
	int64_t n;
};

/* The changes of an event: 0 to 2. */
static unsigned changes_of(uint64_t seq, struct change v[2])
{
	uint64_t rand = seq * 1000003;
	unsigned count = (unsigned)seeded_below(&rand, 8);

	count = count == 0 ? 0 : count < 6 ? 1 : 2;
	for (unsigned i = 0; i < count; i++)
		v[i] = (struct change){.table = (unsigned)seeded_below(&rand, TABLES),
		                       .key = (unsigned)seeded_below(&rand, KEYS),
		                       .remove = seeded_below(&rand, 4) == 0,
		                       .n = (int64_t)seeded_below(&rand, 100) - 30};
	return count;
}

static void put_outputs(struct buf *b, uint64_t seq)
{
	struct change v[2];
	unsigned count = changes_of(seq, v);

	buf_add_char(b, '[');
	for (unsigned i = 0; i < count; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		if (v[i].remove)
			buf_printf(b, "{\"delete\":\"t%u\",\"key\":{\"k\":%u}}", v[i].table,
			           v[i].key);
		else
			buf_printf(b,
			           "{\"upsert\":\"t%u\",\"key\":{\"k\":%u},"
			           "\"set\":{\"last\":%ju},\"add\":{\"n\":%jd}}",
			           v[i].table, v[i].key, (uintmax_t)seq, (intmax_t)v[i].n);
	}
	buf_add_char(b, ']');
}

static void step(struct model *m, uint64_t seq)
{
	struct change v[2];
	unsigned count = changes_of(seq, v);

	for (unsigned i = 0; i < count; i++) {
		struct row *r = &m->row[v[i].table][v[i].key];

		if (v[i].remove) {
			*r = (struct row){.there = false};
			continue;
		}
		r->there = true;
		r->n += v[i].n;
		r->last = seq;
	}
}

struct rowdir *rowdir_model_open(const char *path, const struct io *io, struct mark *ret,
                                 struct err *e)
{
	struct rowdir_config cfg = {
	    .io = io, .mode = 0600, .owner = {"p", "0123456789abcdef0123456789abcdef"}};

	return rowdir_open(path, &cfg, ret, e);
}

int rowdir_model_apply(struct rowdir *d, uint64_t from, uint64_t to, struct err *e)
{
	struct mark mark = {.sequence = to, .event_ns = to, .program = "0f", .selector = "--all"};
	struct rowdir_event events[ROWDIR_MODEL_EVENTS] = {{.seq = 0}};
	size_t begin[ROWDIR_MODEL_EVENTS + 1];
	struct buf text = {0};
	size_t n = 0;
	int r;

	for (uint64_t seq = from + 1; seq <= to; seq++) {
		begin[n++] = text.len;
		put_outputs(&text, seq);
	}
	begin[n] = text.len;
	for (size_t i = 0; i < n; i++)
		events[i] = (struct rowdir_event){
		    .seq = from + 1 + i,
		    .outputs = {text.data + begin[i], begin[i + 1] - begin[i]}};
	r = rowdir_apply(d, events, n, false, &mark, e);
	buf_done(&text);
	return r;
}

/* ---- Checking. */

static void put_expected(struct buf *b, const struct row *r, unsigned key, uint64_t last)
{
	buf_clear(b);
	buf_printf(b, "{\"k\":%u,\"last\":%ju,\"n\":%jd,\"_sequence\":\"%020ju\"}\n", key,
	           (uintmax_t)r->last, (intmax_t)r->n, (uintmax_t)last);
}

static int check_row(const char *path, const struct model *m, unsigned table, unsigned key,
                     struct err *e)
{
	const struct row *r = &m->row[table][key];
	char name[500];
	struct buf want = {0};
	struct buf have = {0};
	int found;
	int result = 0;

	snprintf(name, sizeof(name), "%s/t%u/%u.json", path, table, key);
	found = file_read(AT_FDCWD, name, 10000, &have, e) == 0;
	put_expected(&want, r, key, r->last);
	if (found != r->there)
		result = err_set(e, EIO, "'%s' is %sthere", name, found ? "" : "not ");
	else if (found && (have.len != want.len || memcmp(have.data, want.data, want.len) != 0))
		result = err_set(e, EIO, "'%s' is %.*s, wanted %.*s", name, (int)have.len,
		                 have.data, (int)want.len, want.data);
	buf_done(&want);
	buf_done(&have);
	return result;
}

/* Nothing but rows, and what a crash may leave. */
static int check_names(const char *path, unsigned table, struct err *e)
{
	char name[500];
	struct dirent *entry;
	DIR *list;
	int r = 0;

	snprintf(name, sizeof(name), "%s/t%u", path, table);
	list = opendir(name);
	while (r == 0 && list != NULL && (entry = readdir(list)) != NULL)
		if (entry->d_name[0] != '.' &&
		    (strlen(entry->d_name) != 6 || strcmp(entry->d_name + 1, ".json") != 0))
			r = err_set(e, EIO, "'%s/%s' is no row", name, entry->d_name);
	if (list != NULL)
		closedir(list);
	return r;
}

int rowdir_model_check(const char *path, uint64_t seq, struct err *e)
{
	struct model m = {{{{.there = false}}}};

	for (uint64_t i = 1; i <= seq; i++)
		step(&m, i);
	for (unsigned t = 0; t < TABLES; t++) {
		if (check_names(path, t, e) < 0)
			return -1;
		for (unsigned k = 0; k < KEYS; k++)
			if (check_row(path, &m, t, k, e) < 0)
				return err_wrap(e, "at %ju", (uintmax_t)seq);
	}
	return 0;
}
