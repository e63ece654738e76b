#include "evlog/turn.h"

#include <errno.h>

#include "base/hash.h"
#include "evlog/store_impl.h"
#include "os/file.h"

void turn_init(struct turn *t, const struct evlog *s, struct span stream)
{
	uint64_t hash = hash_sip(s->uuid, stream.p, stream.len);

	*t = (struct turn){.fd = s->lock, .byte = LOCK_TURNS + (off_t)(hash & UINT32_MAX)};
}

static int wait_for(const struct turn *t, enum file_lock kind, int64_t timeout_ms, struct err *e)
{
	if (file_lock(t->fd, t->byte, kind, timeout_ms, e) == 0)
		return 1;
	return e->code == ETIMEDOUT ? 0 : err_wrap(e, "wait for the turn");
}

int turn_pass(const struct turn *t, int64_t timeout_ms, struct err *e)
{
	int r;

	if (t->held)
		return 1;
	r = wait_for(t, FILE_LOCK_SHARED, timeout_ms, e);
	if (r > 0)
		file_unlock(t->fd, t->byte);
	return r;
}

int turn_take(struct turn *t, int64_t timeout_ms, struct err *e)
{
	int r;

	if (t->held)
		return 1;
	r = wait_for(t, FILE_LOCK_EXCLUSIVE, timeout_ms, e);
	t->held = r > 0;
	return r;
}

void turn_release(struct turn *t)
{
	if (t->held)
		file_unlock(t->fd, t->byte);
	t->held = false;
}
