/* raft/log: the entries in memory. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "raft/raft_impl.h"

static void drop_entry(struct raft_log *l, struct raft_entry *e)
{
	l->bytes -= e->data.len;
	free((void *)(uintptr_t)e->data.p);
	e->data = (struct span){NULL, 0};
}

void raft_log_done(struct raft_log *l)
{
	raft_log_reset(l, (struct raft_point){0, 0});
	free(l->room);
	free(l->confs);
	*l = (struct raft_log){.room = NULL};
}

/* Room for one entry behind the last one: what was freed in front is used first. */
static int make_room(struct raft_log *l, struct err *e)
{
	size_t capacity = l->capacity == 0 ? 64 : 2 * l->capacity;
	struct raft_entry *room;

	if (l->first + l->count < l->capacity)
		return 0;
	if (l->first > l->capacity / 2) {
		memmove(l->room, l->room + l->first, l->count * sizeof(*l->room));
		l->first = 0;
		return 0;
	}
	room = reallocarray(l->room, capacity, sizeof(*room));
	if (room == NULL)
		return err_set(e, ENOMEM, "out of memory");
	l->room = room;
	l->capacity = capacity;
	return 0;
}

static int make_conf_room(struct raft_log *l, struct err *e)
{
	size_t capacity = l->conf_capacity == 0 ? 8 : 2 * l->conf_capacity;
	uint64_t *confs;

	if (l->conf_count < l->conf_capacity)
		return 0;
	confs = reallocarray(l->confs, capacity, sizeof(*confs));
	if (confs == NULL)
		return err_set(e, ENOMEM, "out of memory");
	l->confs = confs;
	l->conf_capacity = capacity;
	return 0;
}

int raft_log_append(struct raft_log *l, const struct raft_entry *entry, struct err *e)
{
	struct raft_entry *to;
	char *data = NULL;

	assert(entry->index == raft_log_last(l) + 1);
	assert(entry->term >= raft_log_end(l).term);
	if (make_room(l, e) < 0)
		return -1;
	if (entry->type == RAFT_ENTRY_CONF && make_conf_room(l, e) < 0)
		return -1;
	if (entry->data.len > 0) {
		data = malloc(entry->data.len);
		if (data == NULL)
			return err_set(e, ENOMEM, "out of memory");
		memcpy(data, entry->data.p, entry->data.len);
	}
	to = &l->room[l->first + l->count++];
	*to = *entry;
	to->data.p = data;
	l->bytes += entry->data.len;
	if (entry->type == RAFT_ENTRY_CONF)
		l->confs[l->conf_count++] = entry->index;
	return 0;
}

void raft_log_truncate(struct raft_log *l, uint64_t from)
{
	assert(from > l->base.index);
	while (raft_log_last(l) >= from) {
		drop_entry(l, raft_log_get(l, raft_log_last(l)));
		l->count--;
	}
	while (l->conf_count > 0 && l->confs[l->conf_count - 1] >= from)
		l->conf_count--;
}

void raft_log_compact(struct raft_log *l, uint64_t upto)
{
	struct raft_point base = {.index = upto, .term = raft_log_term(l, upto)};
	size_t gone = 0;

	assert(upto >= l->base.index && upto <= raft_log_last(l));
	while (l->base.index < upto) {
		drop_entry(l, raft_log_get(l, l->base.index + 1));
		l->base.index++;
		l->first++;
		l->count--;
	}
	l->base = base;
	while (gone < l->conf_count && l->confs[gone] <= upto)
		gone++;
	l->conf_count -= gone;
	if (gone > 0)
		memmove(l->confs, l->confs + gone, l->conf_count * sizeof(*l->confs));
}

void raft_log_reset(struct raft_log *l, struct raft_point base)
{
	raft_log_truncate(l, l->base.index + 1);
	l->first = 0;
	l->base = base;
}

uint64_t raft_log_find(const struct raft_log *l, uint64_t index, uint64_t term)
{
	uint64_t last = raft_log_last(l);
	uint64_t low = l->base.index;
	uint64_t high = index < last ? index : last;

	if (high < low || l->base.term > term)
		return l->base.index == 0 ? 0 : l->base.index - 1;
	/* Terms do not go down along the log: low always fits, what is above high never. */
	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2;

		if (raft_log_term(l, middle) <= term)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

uint64_t raft_log_conf_before(const struct raft_log *l, uint64_t index)
{
	size_t n = l->conf_count;

	while (n > 0 && l->confs[n - 1] > index)
		n--;
	return n == 0 ? 0 : l->confs[n - 1];
}
