#include "net_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net_check.h"

struct net_write {
	struct net_write *next;
	uint64_t number;
	bool hard, reset;
	uint64_t term, vote, truncate;
	struct raft_point base;
	struct raft_entry *entries;
	size_t count;
};

static struct raft_entry copy_entry(const struct raft_entry *e)
{
	struct raft_entry copy = *e;
	char *data = malloc(e->data.len + 1);

	NET_CHECK(data != NULL);
	if (e->data.len > 0)
		memcpy(data, e->data.p, e->data.len);
	copy.data.p = data;
	return copy;
}

static void free_entry(struct raft_entry *e)
{
	free((void *)(uintptr_t)e->data.p);
}

static void disk_cut(struct net_disk *disk, size_t count)
{
	while (disk->count > count)
		free_entry(&disk->entries[--disk->count]);
}

void net_disk_add(struct net_disk *disk, const struct raft_entry *e)
{
	if (disk->count == disk->capacity) {
		disk->capacity = disk->capacity == 0 ? 16 : 2 * disk->capacity;
		disk->entries = reallocarray(disk->entries, disk->capacity, sizeof(*disk->entries));
		NET_CHECK(disk->entries != NULL);
	}
	NET_CHECK(e->index == disk->base.index + disk->count + 1);
	disk->entries[disk->count++] = copy_entry(e);
}

void net_disk_write(struct net_disk *disk, const struct raft_output *out)
{
	struct net_write **end = &disk->writes;
	struct net_write *w = calloc(1, sizeof(*w));

	NET_CHECK(w != NULL);
	*w = (struct net_write){
	    .number = out->write,
	    .hard = out->hard,
	    .reset = out->reset,
	    .term = out->term,
	    .vote = out->vote,
	    .truncate = out->truncate,
	    .base = out->base,
	    .entries = calloc(out->append_count + 1, sizeof(*w->entries)),
	    .count = out->append_count,
	};
	NET_CHECK(w->entries != NULL);
	for (size_t i = 0; i < w->count; i++)
		w->entries[i] = copy_entry(&out->append[i]);
	while (*end != NULL)
		end = &(*end)->next;
	*end = w;
}

static void free_write(struct net_write *w)
{
	for (size_t i = 0; i < w->count; i++)
		free_entry(&w->entries[i]);
	free(w->entries);
	free(w);
}

uint64_t net_disk_sync(struct net_disk *disk)
{
	struct net_write *w = disk->writes;
	uint64_t number;

	if (w == NULL)
		return 0;
	number = w->number;
	if (w->hard) {
		NET_CHECK(w->term >= disk->term);
		NET_CHECK(w->term > disk->term || disk->vote == 0 || disk->vote == w->vote);
		disk->term = w->term;
		disk->vote = w->vote;
	}
	if (w->reset) {
		disk_cut(disk, 0);
		disk->base = w->base;
	}
	if (w->truncate != 0) {
		NET_CHECK(w->truncate > disk->base.index);
		NET_CHECK(w->truncate <= disk->base.index + disk->count);
		disk_cut(disk, w->truncate - disk->base.index - 1);
	}
	for (size_t i = 0; i < w->count; i++)
		net_disk_add(disk, &w->entries[i]);
	disk->writes = w->next;
	free_write(w);
	return number;
}

void net_disk_crash(struct net_disk *disk)
{
	while (disk->writes != NULL) {
		struct net_write *w = disk->writes;

		disk->writes = w->next;
		free_write(w);
	}
}

void net_disk_done(struct net_disk *disk)
{
	net_disk_crash(disk);
	disk_cut(disk, 0);
	free(disk->entries);
}

size_t net_disk_unsynced(const struct net_disk *disk)
{
	size_t count = 0;

	for (const struct net_write *w = disk->writes; w != NULL; w = w->next)
		count++;
	return count;
}
