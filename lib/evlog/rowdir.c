#include "evlog/rowdir.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "evlog/model.h"
#include "evlog/row.h"
#include "evlog/rowdir_impl.h"

/* ---- Rows in memory: those that the outputs of a batch touch. */

static uint64_t hash_of(struct span path)
{
	static const unsigned char key[HASH_SIP_KEY_LEN];

	return hash_sip(key, path.p, path.len);
}

/* Where a path is, or would be. */
static size_t slot_of(const struct rowdir *d, struct span path)
{
	size_t at = (size_t)hash_of(path) & (d->slot_count - 1);

	while (d->slots[at] != 0) {
		const struct row *r = &d->rows[d->slots[at] - 1];

		if (span_is((struct span){r->path.data, r->path.len}, path))
			break;
		at = (at + 1) & (d->slot_count - 1);
	}
	return at;
}

static int enlarge(struct rowdir *d, struct err *e)
{
	size_t n = d->slot_count == 0 ? 256 : 2 * d->slot_count;
	uint32_t *slots = calloc(n, sizeof(*slots));
	struct row *rows = reallocarray(d->rows, n / 2, sizeof(*rows));
	uint32_t *changed = reallocarray(d->changed, n / 2, sizeof(*changed));

	if (rows != NULL)
		d->rows = rows;
	if (changed != NULL)
		d->changed = changed;
	if (slots == NULL || rows == NULL || changed == NULL) {
		free(slots);
		return err_set(e, ENOMEM, "out of memory");
	}
	free(d->slots);
	d->slots = slots;
	d->slot_count = n;
	for (size_t i = 0; i < d->row_count; i++) {
		const struct buf *path = &d->rows[i].path;

		d->slots[slot_of(d, (struct span){path->data, path->len})] = (uint32_t)i + 1;
	}
	return 0;
}

static int load(const struct rowdir *d, struct row *r, struct err *e)
{
	struct span path = {r->path.data, r->path.len};
	struct err why;
	int found = rowdir_read_row_at(d->dir, path, &r->old, e);

	if (found <= 0)
		return found;
	if (row_check((struct span){r->old.data, r->old.len}, &r->old_seq, &why) < 0)
		return err_set(e, EIO, "'%s/%.*s' is no row: %s", d->path, (int)path.len, path.p,
		               why.msg);
	return 0;
}

/* The row of a path, read from its file when it is touched first.  NULL: *e. */
static struct row *row_of(struct rowdir *d, struct span path, struct err *e)
{
	struct row *r;
	size_t at;

	if (2 * (d->row_count + 1) > d->slot_count && enlarge(d, e) < 0)
		return NULL;
	at = slot_of(d, path);
	if (d->slots[at] != 0)
		return &d->rows[d->slots[at] - 1];
	r = &d->rows[d->row_count];
	*r = (struct row){.changed = false};
	buf_add(&r->path, path.p, path.len);
	if (buf_ok(&r->path, e) < 0 || load(d, r, e) < 0) {
		buf_done(&r->path);
		buf_done(&r->old);
		return NULL;
	}
	d->row_count++;
	d->slots[at] = (uint32_t)d->row_count;
	return r;
}

static void drop_rows(struct rowdir *d)
{
	for (size_t i = 0; i < d->row_count; i++) {
		buf_done(&d->rows[i].path);
		buf_done(&d->rows[i].old);
		buf_done(&d->rows[i].now);
	}
	d->row_count = 0;
	d->changed_count = 0;
	d->held = 0;
	if (d->slot_count > 0)
		memset(d->slots, 0, d->slot_count * sizeof(*d->slots));
}

/* ---- Outputs. */

/* The row before this output, as of the last one of the batch that has changed it. */
static struct span text_of(const struct row *r)
{
	const struct buf *b = r->changed ? &r->now : &r->old;

	return (struct span){b->data, b->len};
}

static int apply_output(struct rowdir *d, const struct output *o, uint64_t seq, struct err *e)
{
	struct row *r;

	buf_clear(&d->path_buf);
	row_put_path(&d->path_buf, o);
	if (buf_ok(&d->path_buf, e) < 0)
		return -1;
	r = row_of(d, (struct span){d->path_buf.data, d->path_buf.len}, e);
	if (r == NULL)
		return -1;
	if (seq <= r->old_seq)
		return 0;
	buf_clear(&d->merged);
	if (o->kind == OUTPUT_UPSERT && row_merge(&d->merged, text_of(r), o, seq, e) < 0)
		return -1;
	buf_clear(&r->now);
	buf_add(&r->now, d->merged.data, d->merged.len);
	if (!r->changed)
		d->changed[d->changed_count++] = (uint32_t)(r - d->rows);
	r->changed = true;
	return buf_ok(&r->now, e);
}

/* All outputs of one event, or an error: 1 that is the event's own, -1 any other. */
static int apply_event(struct rowdir *d, const struct rowdir_event *ev, struct err *e)
{
	struct outputs all;
	struct output o;
	unsigned n = 0;

	if (outputs_begin(&all, OUTPUT_TAKES_ROWS, ev->outputs.p, ev->outputs.len, e) < 0)
		return e->code == EBADMSG ? 1 : -1;
	while (outputs_next(&all, &o)) {
		n++;
		if (apply_output(d, &o, ev->seq, e) < 0) {
			err_wrap(e, "output %u", n);
			return e->code == EBADMSG ? 1 : -1;
		}
	}
	return 0;
}

/* What was made of the rows so far is forgotten. */
static void start_again(struct rowdir *d)
{
	for (size_t i = 0; i < d->changed_count; i++)
		d->rows[d->changed[i]].changed = false;
	d->changed_count = 0;
}

/*
 * The outputs of all events that are no poison, in memory.  An event that turns out to be poison
 * may have changed rows by then, so all begins anew without it: 1 when there is one at last.
 */
static int merge(struct rowdir *d, struct rowdir_event *events, size_t count, bool all,
                 struct err *e)
{
	bool poison = false;

	for (size_t i = 0; i < count;) {
		int r = events[i].why != NULL ? 0 : apply_event(d, &events[i], e);

		if (r < 0)
			return -1;
		if (r == 0) {
			i++;
			continue;
		}
		poison = true;
		events[i].why = strdup(e->msg);
		if (events[i].why == NULL)
			return err_set(e, ENOMEM, "out of memory");
		if (!all)
			return 1;
		start_again(d);
		i = 0;
	}
	return poison ? 1 : 0;
}

/* ---- A batch. */

static int save(struct rowdir *d, const struct mark *to, struct err *e)
{
	struct rowdir_state s = {.before = d->sequence,
	                         .mark = *to,
	                         .name = {d->name, strlen(d->name)},
	                         .store = {d->store, strlen(d->store)}};

	s.row_count = d->changed_count;
	s.applied = s.row_count == 0;
	state_begin(&d->state, &s);
	for (size_t i = 0; i < d->changed_count; i++) {
		const struct row *r = &d->rows[d->changed[i]];

		state_put_row(&d->state, (struct span){r->path.data, r->path.len},
		              (struct span){r->now.data, r->now.len});
	}
	state_finish(&d->state);
	if (buf_ok(&d->state, e) < 0 || file_replace(d->io, d->own_dir, STATE_NAME, d->state.data,
	                                             d->state.len, d->mode, e) < 0)
		return err_wrap(e, "'%s/" OWN_DIR "'", d->path);
	return s.row_count > 0 ? 1 : 0;
}

/* The next batch begins with what this one has made of the rows. */
static int hold(struct rowdir *d, const struct mark *to, struct err *e)
{
	for (size_t i = 0; i < d->changed_count; i++) {
		struct row *r = &d->rows[d->changed[i]];
		struct buf old = r->old;

		d->held += r->now.len + r->path.len + sizeof(*r);
		r->old = r->now;
		r->now = old;
		r->held = true;
		r->changed = false;
	}
	d->changed_count = 0;
	d->sequence = to->sequence;
	if (d->held < ROWDIR_HOLD_MAX)
		return 0;
	if (rowdir_write_held(d, e) < 0)
		return -1;
	drop_rows(d);
	return 0;
}

int rowdir_finish(struct rowdir *d, const struct mark *to, struct err *e)
{
	assert(d->building);
	if (rowdir_write_held(d, e) < 0)
		return -1;
	drop_rows(d);
	d->sequence = to->sequence;
	return save(d, to, e);
}

/* The state on disk first, then the files. */
static int write_batch(struct rowdir *d, const struct mark *to, struct err *e)
{
	struct rowdir_state s;
	int r = save(d, to, e);

	if (r > 0)
		r = state_parse(&s, (struct span){d->state.data, d->state.len}, e) < 0
		        ? -1
		        : rowdir_complete(d, &s, e);
	d->sequence = to->sequence;
	return r;
}

int rowdir_apply(struct rowdir *d, struct rowdir_event *events, size_t count, bool all,
                 const struct mark *to, struct err *e)
{
	int r;

	if (d->failed)
		return err_set(e, EIO, "'%s': an earlier write has failed", d->path);
	start_again(d);
	if (!d->building)
		drop_rows(d);
	r = merge(d, events, count, all, e);
	if (r != 0)
		return r;
	r = d->building ? hold(d, to, e) : write_batch(d, to, e);
	/* After a failure what is on disk is not known: the next one who opens it finds out. */
	d->failed = r < 0;
	return r;
}
