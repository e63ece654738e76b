/*
 * verify: the whole log checked, and with `deep` what points into it.  Changes nothing, and is
 * bounded by what was durable when it began, so writers may go on.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "evlog/admin.h"
#include "evlog/scan_impl.h"
#include "evlog/store_impl.h"

#define LOST_RECORDS_MAX (1u << 20) /* bytes of lost/record that are looked at */

struct verify {
	struct evlog *s;
	finding_fn *fn;
	void *arg;
	struct err *e;
	int64_t faults;
};

const char *finding_name(enum finding_kind k)
{
	static const char *const names[] = {"damage", "lost",     "torn", "order",
	                                    "index",  "poisoned", "seal"};

	return names[k];
}

static int report(struct verify *v, enum finding_kind kind, const struct damage *where,
                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static int report(struct verify *v, enum finding_kind kind, const struct damage *where,
                  const char *fmt, ...)
{
	struct finding f = {.kind = kind};
	va_list ap;

	if (where != NULL)
		f.where = *where;
	va_start(ap, fmt);
	vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	if (kind != FINDING_TORN)
		v->faults++;
	return v->fn(&f, v->arg, v->e);
}

static int report_frame(struct verify *v, enum finding_kind kind, const struct frame *f,
                        const char *what)
{
	const struct damage d = {.first = f->seq, .last = f->seq};

	return report(v, kind, &d, "sequence %llu, stream '%.*s' version %u: %s",
	              (unsigned long long)f->seq, (int)f->stream.len, f->stream.p, f->version,
	              what);
}

/*
 * A pointer of an event has to lead to an event of the same stream with the right version, or to a
 * deletion that came after that.
 */
static int check_pointer(struct verify *v, const struct frame *f, uint64_t to, uint32_t version,
                         const char *what)
{
	struct frame o;
	struct err ignored;
	int r;

	/* A stream that was imported from a store that had shrunk begins with another version. */
	if (to == 0)
		return f->version == 0 || f->jump == 0 ? 0
		                                       : report_frame(v, FINDING_ORDER, f, what);
	r = store_frame(v->s, to, &o, &ignored);
	/* What is damaged there is reported where it stands; a nameless stub tells nothing. */
	if (r <= 0 || (o.kind == FRAME_STUB && o.flag != FRAME_REDACTED))
		return 0;
	if (f->version == 0 || o.version >= f->version || o.version < version ||
	    (o.version > version && o.kind != FRAME_DELETED) || !span_is(o.stream, f->stream))
		return report_frame(v, FINDING_ORDER, f, what);
	return 0;
}

/* Was the stream deleted between these two events of one id? */
static bool is_deleted_between(struct evlog *s, const struct frame *a, const struct frame *b)
{
	uint64_t old = a->seq < b->seq ? a->seq : b->seq;
	struct frame f = a->seq < b->seq ? *b : *a;
	struct err ignored;
	uint64_t floor;

	return lookup_floor(s, &f, &floor, &ignored) > 0 && floor >= old;
}

static int check_index(struct verify *v, const struct frame *f)
{
	struct id_cursor at = ID_FIRST;
	struct frame o;
	struct err e = {0};
	int r = lookup_id(v->s, f->stream, f->id, &at, &o, &e);

	if (r > 0 && o.seq != f->seq && !is_deleted_between(v->s, f, &o))
		return report_frame(v, FINDING_ORDER, f, "its id is in the stream twice");
	if (r == 0)
		return report_frame(v, FINDING_INDEX, f, "its id is not in the index");
	r = r < 0 ? r : lookup_head(v->s, f->stream, &o, NULL, &e);
	if (r == 0 || (r > 0 && o.version < f->version))
		return report_frame(v, FINDING_INDEX, f,
		                    "the index does not know it as its stream's");
	if (r < 0 && e.code != EVLOG_DAMAGED && e.code != EVLOG_READ_ONLY)
		return report_frame(v, FINDING_INDEX, f, e.msg);
	return 0;
}

/* f's bytes may lie in the scan's buffer; lookups use other memory. */
static int check_deep(struct verify *v, const struct frame *f)
{
	uint32_t jump = f->version & (f->version - 1);

	if (check_pointer(v, f, f->prev, f->version - 1,
	                  "it does not follow on its previous event") < 0 ||
	    (f->jump != 0 && check_pointer(v, f, f->jump, jump, "it jumps to a wrong event") < 0))
		return -1;
	return frame_is_event(f) ? check_index(v, f) : 0;
}

static int check_events(struct verify *v, uint64_t last, bool deep)
{
	struct scan *sc = scan_new(v->s, 1, v->e);
	uint64_t time_ns = 0;
	struct damage d;
	struct frame f;
	int r = sc == NULL ? -1 : 1;

	if (sc != NULL)
		scan_with_stubs(sc);
	while (r > 0) {
		r = scan_next(sc, last, &f, &d, v->e);
		if (r == 2 &&
		    report(v, FINDING_DAMAGE, &d, "%llu bytes at offset %llu are no event",
		           (unsigned long long)d.bytes, (unsigned long long)d.offset) < 0)
			r = -1;
		if (r != 1)
			continue;
		if (f.time_ns < time_ns &&
		    report_frame(v, FINDING_ORDER, &f,
		                 "it was recorded before the event before it") < 0)
			r = -1;
		time_ns = f.time_ns;
		if (deep && check_deep(v, &f) < 0)
			r = -1;
	}
	scan_free(sc);
	return r;
}

/* Are all events there but those that were removed on purpose? */
static int count_events(struct verify *v, const struct segment *g, const struct damage *d)
{
	const struct mapping *m = g->map;
	uint64_t want = g->last - g->base + 1 - m->gone;
	uint64_t found = 0;
	struct frame f;

	for (size_t at = FRAME_HEAD_LEN; at + FRAME_SEAL_LEN < m->size; at += f.len) {
		/* What these bytes cost is reported where they stand. */
		if (frame_parse_header(m->p + at, m->size - at, v->s->salt, &f) != FRAME_OK)
			return 0;
		found++;
	}
	return found == want ? 0
	                     : report(v, FINDING_DAMAGE, d, "%llu events are there, not %llu",
	                              (unsigned long long)found, (unsigned long long)want);
}

static int check_segment(struct verify *v, struct segment *g)
{
	struct evlog *s = v->s;
	const struct mapping *m;
	struct frame_head h;
	struct frame_seal seal;
	struct damage d = {.first = g->base, .last = g->last};
	char name[SEGMENT_NAME_MAX];

	segment_name(name, g->base);
	snprintf(d.file, sizeof(d.file), "log/%s", name);
	if (segment_map(s, g, v->e) < 0)
		return report(v, FINDING_DAMAGE, &d, "%.140s", v->e->msg);
	m = g->map;
	if (!frame_get_head(m->p, m->size, &h) || h.base != g->base ||
	    memcmp(h.uuid, s->uuid, sizeof(h.uuid)) != 0)
		return report(v, FINDING_DAMAGE, &d, "the first line is not this store's");
	if (m->size < FRAME_HEAD_LEN + FRAME_SEAL_LEN ||
	    frame_get_seal(m->p + m->size - FRAME_SEAL_LEN, FRAME_SEAL_LEN, s->salt, &seal) !=
	        FRAME_OK ||
	    seal.first != g->base || seal.last != g->last || seal.bytes != m->size ||
	    seal.gone != h.gone) {
		d.offset = m->size < FRAME_SEAL_LEN ? 0 : m->size - FRAME_SEAL_LEN;
		return report(v, FINDING_SEAL, &d, "the last line is not the seal of these events");
	}
	return m->gaps ? count_events(v, g, &d) : 0;
}

static int check_segments(struct verify *v)
{
	struct evlog *s = v->s;

	if (segments_load(s, v->e) < 0)
		return -1;
	for (size_t i = 0; i < s->segment_count; i++)
		if (check_segment(v, &s->segments[i]) < 0)
			return -1;
	return 0;
}

/* What lies behind the last complete commit, when no writer can be at it. */
static int check_tail(struct verify *v)
{
	struct evlog *s = v->s;
	struct damage d = {.offset = s->ctl->size};
	char name[SEGMENT_NAME_MAX];
	struct frame_head h;
	char head[FRAME_HEAD_LEN];
	struct stat st;

	segment_name(name, s->log_base);
	snprintf(d.file, sizeof(d.file), "log/%s", name);
	if (fstat(s->log_fd, &st) < 0)
		return err_sys(v->e, "look at '%s'", d.file);
	if (file_read_at(&io_os, s->log_fd, head, sizeof(head), 0, v->e) < (ssize_t)sizeof(head) ||
	    !frame_get_head(head, sizeof(head), &h) || h.base != s->log_base ||
	    memcmp(h.uuid, s->uuid, sizeof(h.uuid)) != 0)
		if (report(v, FINDING_DAMAGE, &(struct damage){.first = s->log_base},
		           "%s: the first line "
		           "is not this store's",
		           d.file) < 0)
			return -1;
	if (s->lost_last > 0) {
		d.first = s->lost_first;
		d.last = s->lost_last;
		if (report(v, FINDING_LOST, &d, "acknowledged, and not in the log") < 0)
			return -1;
	}
	if (!s->ctl_private || (uint64_t)st.st_size <= d.offset || s->ctl->damaged != 0)
		return 0;
	d.bytes = (uint64_t)st.st_size - d.offset;
	d.first = s->ctl->written + 1;
	d.last = s->ctl->written;
	return report(v, FINDING_TORN, &d, "a write was cut short; the next writer cuts it off");
}

static uint64_t member_u64(const struct json_doc *doc, const char *key)
{
	struct err ignored;
	uint64_t v = 0;

	for (size_t i = 0; i < doc->members && i < JSON_MEMBERS_MAX; i++)
		if (doc->member[i].key_len == strlen(key) &&
		    memcmp(doc->member[i].key, key, strlen(key)) == 0)
			(void)json_get_u64(&doc->member[i].value, &v, &ignored);
	return v;
}

/* The lines of a record of losses; the file may not be there. */
static int each_loss(struct evlog *s, const char *name, finding_fn *fn, void *arg, struct err *e)
{
	struct buf b = {0};
	struct json_doc doc;
	int r = 0;

	if (s->lost_dir < 0)
		return 0;
	if (file_read(s->lost_dir, name, LOST_RECORDS_MAX, &b, e) < 0)
		r = e->code == ENOENT ? 0 : -1;
	for (size_t at = 0; r == 0 && at < b.len;) {
		const char *lf = memchr(b.data + at, '\n', b.len - at);
		size_t n = (lf == NULL ? b.len : (size_t)(lf - b.data)) - at;
		struct finding f = {.kind = FINDING_LOST};

		if (json_scan(b.data + at, n, &doc, e) == 0) {
			f.where.first = member_u64(&doc, "first");
			f.where.last = member_u64(&doc, "last");
			snprintf(f.text, sizeof(f.text),
			         "acknowledged, and missing at the end of the log "
			         "when it was last recovered");
			r = fn(&f, arg, e);
		}
		at += n + 1;
	}
	buf_done(&b);
	return r;
}

int evlog_each_lost(struct evlog *s, finding_fn *fn, void *arg, struct err *e)
{
	return each_loss(s, "record", fn, arg, e);
}

int evlog_each_known_loss(struct evlog *s, finding_fn *fn, void *arg, struct err *e)
{
	return each_loss(s, "record.known", fn, arg, e);
}

static int report_loss(const struct finding *f, void *arg, struct err *e)
{
	struct verify *v = arg;

	v->faults++;
	return v->fn(f, v->arg, e);
}

int64_t evlog_verify(struct evlog *s, bool deep, finding_fn *fn, void *arg, struct err *e)
{
	struct verify v = {.s = s, .fn = fn, .arg = arg, .e = e};
	uint64_t last = evlog_durable(s);

	if (store_refresh(s, e) < 0 && !s->ctl_private)
		return -1;
	if (ctl_get32(&s->ctl->poison) != 0 &&
	    report(&v, FINDING_POISONED, NULL, "a sync failed (%s): writers stop until repair",
	           strerror((int)s->ctl->poison)) < 0)
		return -1;
	if (evlog_each_lost(s, report_loss, &v, e) < 0 || check_tail(&v) < 0 ||
	    check_segments(&v) < 0 || check_events(&v, last, deep) < 0)
		return -1;
	return v.faults;
}
