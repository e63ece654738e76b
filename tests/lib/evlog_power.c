#include "evlog_power.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evlog/admin.h"
#include "tmp_dir.h"

bool power_is_mapped(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base == NULL ? path : base + 1;
	return strcmp(base, "ctl") == 0 || strcmp(base, "active") == 0 ||
	       strcmp(base, "active.new") == 0 || strcmp(base, "lock") == 0;
}

void power_must(struct power *p, int r)
{
	if (r < 0)
		fail_msg("%s", p->e.msg);
}

/* With a store that is there already, or (segment_size 0) none yet. */
struct power power_begin(uint64_t segment_size, const char *words)
{
	struct power p = {.root = tmp_dir_new(), .o = RECORD_OPTIONS_DEFAULT};
	const char *seed = getenv("SEED");
	const char *san = getenv("SHOAL_SAN");

	assert_non_null(p.root);
	if (seed != NULL)
		p.o.seed = strtoull(seed, NULL, 10);
	p.o.max_images = san != NULL && *san != '\0' ? 400 : 4000;
	snprintf(p.path, sizeof(p.path), "%s/" POWER_STORE, p.root);
	snprintf(p.backup, sizeof(p.backup), "%s/" POWER_BACKUP, p.root);
	if (segment_size > 0) {
		power_must(&p, check_create(p.path, segment_size, NULL, &p.e));
		p.s = check_open(p.path, NULL, &p.e);
		power_must(&p, p.s == NULL ? -1 : 0);
		power_must(&p, check_append(p.s, words, &p.acks, &p.e));
		evlog_close(p.s);
		p.s = NULL;
	}
	return p;
}

void power_record(struct power *p, const struct io *base)
{
	const struct record_setup setup = {
	    .root = p->root, .base = base, .mapped = power_is_mapped};

	p->r = record_io_start(&setup, &p->io, &p->e);
	power_must(p, p->r == NULL ? -1 : 0);
}

void power_open(struct power *p)
{
	p->s = check_open(p->path, p->io, &p->e);
	power_must(p, p->s == NULL ? -1 : 0);
}

/* What was acknowledged up to a moment is what the last mark before it counts. */
void power_mark(struct power *p)
{
	record_io_mark(p->r, "acked %zu", p->acks.n);
}

void power_append(struct power *p, const char *words)
{
	power_must(p, check_append(p->s, words, &p->acks, &p->e));
	power_mark(p);
}

uint64_t power_back_up(struct power *p, bool copy)
{
	uint64_t last;

	power_must(p, evlog_backup(p->s, p->backup, copy, &last, &p->e));
	record_io_mark(p->r, "backed up %zu", p->acks.n);
	return last;
}

void power_end(struct power *p, record_check *check)
{
	long n;

	evlog_close(p->s);
	n = record_io_images(p->r, &p->o, check, p, &p->e);
	if (n < 0)
		fail_msg("%s", p->e.msg);
	print_message("# %zu calls, %ld images\n", record_io_calls(p->r), n);
	record_io_free(p->r);
	acks_done(&p->acks);
	tmp_dir_free(p->root);
}

/* The number of the last mark of a kind. */
static size_t last_mark(const struct record_image *im, const char *kind, size_t before)
{
	size_t len = strlen(kind);
	size_t n = before;

	for (size_t i = 0; i < im->n_marks; i++)
		if (strncmp(im->marks[i], kind, len) == 0)
			n = strtoul(im->marks[i] + len, NULL, 10);
	return n;
}

size_t power_acked(const struct record_image *im, size_t before)
{
	return last_mark(im, "acked ", before);
}

int power_restore(const struct record_image *im, size_t *ret_acked, struct err *e)
{
	char from[400], to[400];

	*ret_acked = last_mark(im, "backed up ", 0);
	snprintf(from, sizeof(from), "%s/" POWER_BACKUP, im->dir);
	snprintf(to, sizeof(to), "%s/" POWER_RESTORED, im->dir);
	if (evlog_restore(from, to, NULL, e) < 0)
		return *ret_acked == 0 ? 0 : err_wrap(e, "a finished backup");
	return 1;
}

int power_check_in(const char *dir, const char *name, const struct acks *acks, size_t n,
                   unsigned checks, struct err *e)
{
	struct acks some = {.v = acks->v, .n = n};
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return evlog_check_dir(path, &some, checks, e);
}

int power_check(const struct record_image *im, void *arg, struct err *e)
{
	struct power *p = arg;

	return power_check_in(im->dir, POWER_STORE, &p->acks, power_acked(im, 0), CHECK_ALL, e);
}
