/* maintain: many small runs become one; by whoever has rolled, outside the writer lock. */
#include <errno.h>

#include "evlog/append.h"
#include "evlog/store_impl.h"

#define MERGE_COUNT   4    /* adjacent runs of one size class that become one */
#define CLASS_ENTRIES 4096 /* of the smallest class; each next one holds four times more */

static unsigned class_of(const struct run *r)
{
	unsigned c = 0;

	for (uint64_t n = r->entries / CLASS_ENTRIES; n >= 4; n /= 4)
		c++;
	return c;
}

/* Merge the newest runs while at least MERGE_COUNT of them are no larger than the newest's class.
 */
static int merge_family(struct evlog *s, enum run_family family, struct err *e)
{
	for (;;) {
		size_t n, k;

		/* Whoever rolled meanwhile has a merge to do as well. */
		if (index_load(s, family, e) < 0)
			return e->code == ESTALE ? 0 : -1;
		n = s->run_count[family];
		for (k = 0; k < n && k < 32; k++)
			if (class_of(&s->runs[family][n - 1 - k]) >
			    class_of(&s->runs[family][n - 1]))
				break;
		if (k < MERGE_COUNT)
			return 0;
		if (run_merge(s->io, s->index_dir, s->mode, family, &s->runs[family][n - k], k, e) <
		    0) {
			if (e->code == EBADMSG)
				index_drop_family(s, family);
			return -1;
		}
		for (size_t i = n - k; i < n; i++)
			index_remove_run(s, family, s->runs[family][i].first,
			                 s->runs[family][i].last);
		__atomic_add_fetch(&s->ctl->index_gen, 1, __ATOMIC_ACQ_REL);
	}
}

int evlog_maintain(struct evlog *s, struct err *e)
{
	int r;

	if (!s->merge_due)
		return 0;
	r = file_try_lock(s->lock, LOCK_MAINTAIN, FILE_LOCK_EXCLUSIVE, e);
	if (r <= 0)
		return r;
	s->merge_due = false;
	s->maintaining = true;
	r = merge_family(s, RUN_HEADS, e);
	if (r == 0)
		r = merge_family(s, RUN_IDS, e);
	s->maintaining = false;
	file_unlock(s->lock, LOCK_MAINTAIN);
	return r;
}
