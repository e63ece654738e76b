/* append: a commit under construction.  Nothing here touches the store. */
#include "evlog/append.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "evlog/commit_impl.h"

struct commit *commit_new(void)
{
	return calloc(1, sizeof(struct commit));
}

void commit_free(struct commit *c)
{
	if (c == NULL)
		return;
	buf_done(&c->frames);
	buf_done(&c->names);
	buf_done(&c->kept);
	free(c->entries);
	free(c->states);
	free(c->by_stream);
	free(c->by_id);
	free(c->receipts);
	free(c);
}

void commit_clear(struct commit *c)
{
	buf_clear(&c->frames);
	buf_clear(&c->names);
	c->count = 0;
	c->given = 0;
	c->check_count = 0;
	c->state_count = 0;
}

size_t commit_count(const struct commit *c)
{
	return c->count;
}

static int check_limits(const struct event *ev, struct err *e)
{
	assert(ev->stream.len > 0 && ev->stream.len <= FRAME_NAME_MAX);
	assert(ev->type.len > 0 && ev->type.len <= FRAME_NAME_MAX);
	assert(ev->id.len > 0 && ev->id.len <= FRAME_NAME_MAX);
	assert(ev->attrs.len > 0 && ev->data.len > 0);
	if (ev->attrs.len > FRAME_ATTRS_MAX)
		return err_set(e, EVLOG_BAD_EVENT,
		               "attributes have %zu bytes, at most %u are possible", ev->attrs.len,
		               FRAME_ATTRS_MAX);
	if (ev->data.len > FRAME_DATA_MAX)
		return err_set(e, EVLOG_BAD_EVENT, "data has %zu bytes, at most %u are possible",
		               ev->data.len, FRAME_DATA_MAX);
	return 0;
}

static char *put_field(char *to, struct span v, char end)
{
	memcpy(to, v.p, v.len);
	to[v.len] = end;
	return to + v.len + 1;
}

static struct entry *new_entry(struct commit *c)
{
	if (c->count == c->cap) {
		uint32_t cap = c->cap == 0 ? 64 : c->cap * 2;
		struct entry *v = reallocarray(c->entries, cap, sizeof(*v));

		if (v == NULL)
			return NULL;
		c->entries = v;
		c->cap = cap;
	}
	return &c->entries[c->count];
}

int commit_add(struct commit *c, const struct evlog *s, const struct event *ev, struct err *e)
{
	size_t len = FRAME_FIXED + ev->stream.len + ev->type.len + ev->id.len + ev->attrs.len +
	             ev->data.len + 5;
	struct entry *n = new_entry(c);
	char *line, *p;

	if (check_limits(ev, e) < 0)
		return -1;
	if (c->count == COMMIT_EVENTS_MAX)
		return err_set(e, EVLOG_BAD_EVENT, "a commit has more than %u events",
		               COMMIT_EVENTS_MAX);
	if (c->frames.len + len > COMMIT_FRAMES_MAX)
		return err_set(e, EVLOG_BAD_EVENT,
		               "a commit has more than %u MiB with its attributes",
		               COMMIT_FRAMES_MAX >> 20);
	line = buf_reserve(&c->frames, len);
	if (n == NULL || line == NULL)
		return err_set(e, ENOMEM, "out of memory");
	p = put_field(line + FRAME_FIXED, ev->stream, ' ');
	p = put_field(p, ev->type, ' ');
	p = put_field(p, ev->id, ' ');
	p = put_field(p, ev->attrs, ' ');
	*n = (struct entry){.at = c->frames.len,
	                    .len = (uint32_t)len,
	                    .data_at = (uint32_t)(p - line),
	                    .data_crc = crc32c(0, ev->data.p, ev->data.len),
	                    .stream_len = (uint8_t)ev->stream.len,
	                    .type_len = (uint8_t)ev->type.len,
	                    .id_len = (uint8_t)ev->id.len,
	                    .kind = ev->kind == 0 ? FRAME_EVENT : ev->kind,
	                    .id_given = ev->id_given,
	                    .state = NO_STATE,
	                    .expect = ev->expect,
	                    .stream_key = key_of(s, ev->stream, (struct span){"", 0}, 0),
	                    .id_key = key_of(s, ev->stream, ev->id, 0)};
	put_field(p, ev->data, '\n');
	c->frames.len += len;
	c->count++;
	c->given += ev->id_given;
	return 0;
}

int commit_check(struct commit *c, struct span stream, struct expect x, struct err *e)
{
	struct check *k = &c->checks[c->check_count];

	if (c->check_count == COMMIT_CHECKS_MAX)
		return err_set(e, ENOSPC, "more than %u streams to check", COMMIT_CHECKS_MAX);
	*k = (struct check){.at = c->names.len, .len = stream.len, .expect = x};
	buf_add(&c->names, stream.p, stream.len);
	c->check_count++;
	return buf_ok(&c->names, e);
}
