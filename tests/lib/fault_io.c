#include "fault_io.h"

#include <assert.h>
#include <errno.h>

/* The calls of the table have no argument for a context, so the state is the process's. */
static struct {
	const struct io *base;
	struct fault faults[FAULTS_MAX];
	unsigned seen[FAULTS_MAX]; /* calls that a fault counted */
	size_t n_faults;
	unsigned count[FAULT_CALLS];
	unsigned hits;
} state = {.base = &io_os};

static bool concerns(const struct fault *f, enum fault_call call)
{
	return f->call == call || (f->call == FAULT_ANY && call < FAULT_CLOSE);
}

/* Count the call in all faults; the first one that it meets, or NULL. */
static const struct fault *meet(enum fault_call call)
{
	const struct fault *met = NULL;

	state.count[call]++;
	if (call < FAULT_CLOSE)
		state.count[FAULT_ANY]++;
	for (size_t i = 0; i < state.n_faults; i++) {
		const struct fault *f = &state.faults[i];

		if (!concerns(f, call))
			continue;
		state.seen[i]++;
		if (met != NULL || state.seen[i] < f->nth || (state.seen[i] > f->nth && !f->always))
			continue;
		if (f->error != 0 || f->call == FAULT_PWRITE || f->call == FAULT_PREAD)
			met = f;
	}
	if (met != NULL)
		state.hits++;
	return met;
}

static int fail(const struct fault *f)
{
	errno = f->error;
	return -1;
}

static bool blocks(const struct fault *f)
{
	return f != NULL && !f->after;
}

/* What the program sees of a call that was done and returned r. */
static int outcome(const struct fault *f, int r)
{
	return f != NULL ? fail(f) : r;
}

static int faulty_openat(int dir, const char *name, int flags, mode_t mode)
{
	const struct fault *f = meet(FAULT_OPENAT);
	int fd;

	if (blocks(f))
		return fail(f);
	fd = state.base->openat(dir, name, flags, mode);
	if (f == NULL)
		return fd;
	if (fd >= 0)
		(void)state.base->close(fd);
	return fail(f);
}

static ssize_t faulty_pwrite(int fd, const void *p, size_t n, off_t at)
{
	const struct fault *f = meet(FAULT_PWRITE);

	if (f == NULL)
		return state.base->pwrite(fd, p, n, at);
	if (f->error == 0)
		return state.base->pwrite(fd, p, n < f->short_to ? n : f->short_to, at);
	if (f->after)
		(void)!state.base->pwrite(fd, p, n, at);
	return fail(f);
}

static int faulty_ftruncate(int fd, off_t size)
{
	const struct fault *f = meet(FAULT_FTRUNCATE);

	return blocks(f) ? fail(f) : outcome(f, state.base->ftruncate(fd, size));
}

static int faulty_fallocate(int fd, int mode, off_t at, off_t size)
{
	const struct fault *f = meet(FAULT_FALLOCATE);

	return blocks(f) ? fail(f) : outcome(f, state.base->fallocate(fd, mode, at, size));
}

static int faulty_fdatasync(int fd)
{
	const struct fault *f = meet(FAULT_FDATASYNC);

	return blocks(f) ? fail(f) : outcome(f, state.base->fdatasync(fd));
}

static int faulty_fsync(int fd)
{
	const struct fault *f = meet(FAULT_FSYNC);

	return blocks(f) ? fail(f) : outcome(f, state.base->fsync(fd));
}

static int faulty_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	const struct fault *f = meet(FAULT_RENAMEAT);

	return blocks(f) ? fail(f) : outcome(f, state.base->renameat(from_dir, from, to_dir, to));
}

static int faulty_linkat(int from_dir, const char *from, int to_dir, const char *to)
{
	const struct fault *f = meet(FAULT_LINKAT);

	return blocks(f) ? fail(f) : outcome(f, state.base->linkat(from_dir, from, to_dir, to));
}

static int faulty_unlinkat(int dir, const char *name)
{
	const struct fault *f = meet(FAULT_UNLINKAT);

	return blocks(f) ? fail(f) : outcome(f, state.base->unlinkat(dir, name));
}

static int faulty_mkdirat(int dir, const char *name, mode_t mode)
{
	const struct fault *f = meet(FAULT_MKDIRAT);

	return blocks(f) ? fail(f) : outcome(f, state.base->mkdirat(dir, name, mode));
}

static int faulty_close(int fd)
{
	const struct fault *f = meet(FAULT_CLOSE);

	return outcome(f, state.base->close(fd));
}

static ssize_t faulty_pread(int fd, void *p, size_t n, off_t at)
{
	const struct fault *f = meet(FAULT_PREAD);

	if (f == NULL)
		return state.base->pread(fd, p, n, at);
	if (f->error == 0)
		return state.base->pread(fd, p, n < f->short_to ? n : f->short_to, at);
	return fail(f);
}

static int faulty_size(int fd, off_t *ret)
{
	const struct fault *f = meet(FAULT_SIZE);

	return f != NULL ? fail(f) : state.base->size(fd, ret);
}

static int faulty_list(int dir, struct buf *b)
{
	const struct fault *f = meet(FAULT_LIST);

	return f != NULL ? fail(f) : state.base->list(dir, b);
}

static int faulty_lock(int fd)
{
	const struct fault *f = meet(FAULT_LOCK);

	return f != NULL ? fail(f) : state.base->lock(fd);
}

static const struct io faulty = {
    .openat = faulty_openat,
    .pwrite = faulty_pwrite,
    .ftruncate = faulty_ftruncate,
    .fallocate = faulty_fallocate,
    .fdatasync = faulty_fdatasync,
    .fsync = faulty_fsync,
    .renameat = faulty_renameat,
    .linkat = faulty_linkat,
    .unlinkat = faulty_unlinkat,
    .mkdirat = faulty_mkdirat,
    .close = faulty_close,
    .pread = faulty_pread,
    .size = faulty_size,
    .list = faulty_list,
    .lock = faulty_lock,
};

const struct io *fault_io_start(const struct io *base)
{
	assert(base != &faulty);
	state.n_faults = 0;
	state.hits = 0;
	for (size_t i = 0; i < FAULT_CALLS; i++)
		state.count[i] = 0;
	state.base = base;
	return &faulty;
}

void fault_io_add(struct fault f)
{
	assert(state.n_faults < FAULTS_MAX);
	if (f.nth == 0)
		f.nth = 1;
	state.faults[state.n_faults] = f;
	state.seen[state.n_faults] = 0;
	state.n_faults++;
}

unsigned fault_io_count(enum fault_call call)
{
	return state.count[call];
}

unsigned fault_io_hits(void)
{
	return state.hits;
}

const char *fault_io_name(enum fault_call call)
{
	static const char *const names[FAULT_CALLS] = {
	    "any call", "openat",   "pwrite", "ftruncate", "fallocate", "fdatasync",
	    "fsync",    "renameat", "linkat", "unlinkat",  "mkdirat",   "close",
	    "pread",    "size",     "list",   "lock",
	};

	return names[call];
}
