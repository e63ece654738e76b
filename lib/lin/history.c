#include "lin/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lin/history_line.h"

static int read_lines(struct history_reader *r, const char *p, size_t len, struct err *e)
{
	for (size_t number = 1; len > 0; number++) {
		const char *lf = memchr(p, '\n', len);
		size_t n = lf != NULL ? (size_t)(lf - p) : len;

		if (n > HISTORY_LINE_MAX || r->ops_n == HISTORY_OPS_MAX)
			return err_set(e, EBADMSG, "line %zu: too %s", number,
			               n > HISTORY_LINE_MAX ? "long" : "many operations");
		if (n > 0 && *p != '#' && history_read_line(r, p, n, e) < 0)
			return err_wrap(e, "line %zu", number);
		p += n + (lf != NULL);
		len -= n + (lf != NULL);
	}
	return 0;
}

static int compare_spans(const struct span *a, const struct span *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int order = n > 0 ? memcmp(a->p, b->p, n) : 0;

	if (order != 0)
		return order;
	return a->len < b->len ? -1 : a->len > b->len;
}

static int by_name(const void *a, const void *b)
{
	return compare_spans(&((const struct history_use *)a)->name,
	                     &((const struct history_use *)b)->name);
}

static void set_name(struct lin_op *op, enum history_place place, uint64_t number)
{
	switch (place) {
	case HISTORY_VALUE:
		op->value = number;
		break;
	case HISTORY_EXPECT:
		op->expect = number;
		break;
	case HISTORY_OWNER:
		op->owner = number;
		break;
	default:
		op->client = number;
	}
}

/*
 * Names get their numbers by sorting: a table of hashes would need a secret against names that
 * somebody chose.  key_of[op] is the number of its key's name.
 */
static void number_names(struct history *h, struct history_reader *r, uint32_t *key_of)
{
	for (size_t i = 0; i < r->uses_n; i++) /* data is NULL when all names are empty */
		r->uses[i].name.p = r->text.len > 0 ? r->text.data + r->uses[i].at : "";
	if (r->uses_n > 0)
		qsort(r->uses, r->uses_n, sizeof(*r->uses), by_name);
	for (size_t i = 0; i < r->uses_n; i++) {
		const struct history_use *u = &r->uses[i];

		if (i == 0 || by_name(u - 1, u) != 0)
			h->names[h->names_n++] = u->name;
		if (u->place == HISTORY_KEY)
			key_of[u->op] = (uint32_t)h->names_n;
		else
			set_name(&r->ops[u->op], u->place, h->names_n);
	}
}

/* The operations of each key side by side, else as they were. */
static void group_by_key(struct history *h, const struct history_reader *r, const uint32_t *key_of,
                         size_t *begin_of)
{
	size_t at = 0;

	for (size_t i = 0; i < r->ops_n; i++)
		begin_of[key_of[i]]++;
	for (size_t name = 1; name <= h->names_n; name++) {
		size_t n = begin_of[name];

		begin_of[name] = at;
		if (n > 0)
			h->keys[h->keys_n++] =
			    (struct history_key){h->names[name - 1], h->ops + at, n};
		at += n;
	}
	for (size_t i = 0; i < r->ops_n; i++)
		h->ops[begin_of[key_of[i]]++] = r->ops[i];
	h->ops_n = r->ops_n;
}

static int arrange(struct history *h, struct history_reader *r, struct err *e)
{
	size_t n = r->uses_n + 1;
	uint32_t *key_of = calloc(r->ops_n + 1, sizeof(*key_of));
	size_t *begin_of = calloc(n, sizeof(*begin_of));
	int ret = -1;

	h->names = malloc(n * sizeof(*h->names));
	h->keys = malloc((r->ops_n + 1) * sizeof(*h->keys));
	h->ops = malloc((r->ops_n + 1) * sizeof(*h->ops));
	if (key_of == NULL || begin_of == NULL || h->names == NULL || h->keys == NULL ||
	    h->ops == NULL) {
		err_set(e, ENOMEM, "out of memory");
		goto out;
	}
	number_names(h, r, key_of);
	group_by_key(h, r, key_of, begin_of);
	h->text = r->text.data;
	r->text = (struct buf){0};
	ret = 0;
out:
	free(key_of);
	free(begin_of);
	return ret;
}

int history_read(struct history *h, const char *p, size_t len, struct err *e)
{
	struct history_reader r = {0};
	int ret;

	*h = (struct history){0};
	ret = read_lines(&r, p, len, e);
	if (ret == 0)
		ret = arrange(h, &r, e);
	if (ret < 0)
		history_done(h);
	free(r.ops);
	free(r.uses);
	buf_done(&r.text);
	return ret;
}

void history_done(struct history *h)
{
	free(h->keys);
	free(h->names);
	free(h->ops);
	free(h->text);
	*h = (struct history){0};
}
