/*
 * wal_append: batches of entries into a write-ahead log, or the same bytes into a bare file.
 *
 *	wal_append log DIR BATCHES BATCH SIZE       wal_append, wal_write, wal_sync
 *	wal_append filled DIR BATCHES BATCH SIZE    pwrite and fdatasync, a file full of zeros
 *	wal_append growing DIR BATCHES BATCH SIZE   the same, a file that grows
 *
 * DIR is empty.  Prints batches in a second, and p50 and p99 of one in microseconds; making files
 * ahead of their use counts for `log` only.
 */
#include "bench.h"

#include "raft/entry.h"
#include "wal/record.h"
#include "wal/wal.h"

struct work {
	int dir;
	uint64_t batches, batch, size;
	char *data;
	int64_t *times;
};

static struct err e;

static void must(int r)
{
	if (r < 0)
		die("%s", e.msg);
}

static void run_log(struct work *k)
{
	struct wal_config cfg = {
	    .io = &io_os, .dir = k->dir, .cluster = 1, .node = 1, .mode = 0600, .salt = 1};
	struct raft_entry *entries = allocate(k->batch, sizeof(*entries));
	struct wal_recovered r;
	struct wal *w = wal_open(&cfg, &r, NULL, &e);
	uint64_t index = 0;
	uint64_t n;

	must(w == NULL ? -1 : 0);
	wal_hard(w, 1, 1);
	for (uint64_t i = 0; i < k->batches; i++) {
		int64_t begin = clock_mono_ns();
		struct wal_stat st;

		for (uint64_t j = 0; j < k->batch; j++) {
			index++;
			entries[j] = (struct raft_entry){index,
			                                 1,
			                                 index,
			                                 RAFT_ENTRY_COMMAND,
			                                 RAFT_ENTRY_VERSION,
			                                 {k->data + j * k->size, k->size}};
		}
		wal_append(w, entries, k->batch);
		must(wal_write(w, &n, &e));
		must(wal_sync(w, &n, &e));
		wal_stat(w, &st);
		if (!st.prepared && st.used > WAL_SEGMENT_DEFAULT / 4)
			must(wal_prepare(w, &e));
		k->times[i] = clock_mono_ns() - begin;
	}
	wal_close(w);
	wal_recovered_done(&r);
	free(entries);
}

/* As many bytes as the log writes for a batch. */
static void run_file(struct work *k, bool filled)
{
	struct wal_record r = {.type = WAL_ENTRY, .entry = {.data = {k->data, k->size}}};
	size_t n = wal_record_size(&r) * k->batch;
	char *bytes = allocate(1, n);
	int fd = file_open(&io_os, k->dir, "file", O_RDWR | O_CREAT | O_TRUNC, 0600, &e);
	uint64_t at = 0;

	must(fd);
	memset(bytes, 'x', n);
	if (filled) {
		char *zeros = allocate(1, n);

		for (uint64_t i = 0; i < k->batches; i++)
			must(file_write_all(&io_os, fd, zeros, n, (off_t)(i * n), &e));
		if (fsync(fd) < 0)
			die_errno("fsync");
		free(zeros);
	}
	for (uint64_t i = 0; i < k->batches; i++) {
		int64_t begin = clock_mono_ns();

		must(file_write_all(&io_os, fd, bytes, n, (off_t)at, &e));
		if (fdatasync(fd) < 0)
			die_errno("fdatasync");
		at += n;
		k->times[i] = clock_mono_ns() - begin;
	}
	file_close(&io_os, fd);
	free(bytes);
}

int main(int argc, char **argv)
{
	struct work k = {0};
	int64_t sum = 0;

	if (argc != 6)
		die("usage: wal_append log|filled|growing DIR BATCHES BATCH SIZE");
	k.dir = file_open_dir(&io_os, AT_FDCWD, argv[2], &e);
	must(k.dir);
	k.batches = number(argv[3]);
	k.batch = number(argv[4]);
	k.size = number(argv[5]);
	if (k.batches == 0 || k.batch == 0 || k.size == 0)
		die("a number is 0");
	k.data = allocate(k.batch, k.size);
	memset(k.data, 'd', k.batch * k.size);
	k.times = allocate(k.batches, sizeof(*k.times));
	if (strcmp(argv[1], "log") == 0)
		run_log(&k);
	else
		run_file(&k, strcmp(argv[1], "filled") == 0);
	for (uint64_t i = 0; i < k.batches; i++)
		sum += k.times[i];
	sort_times(k.times, k.batches);
	printf("%.0f %.0f %.0f\n", (double)k.batches * 1e9 / (double)sum,
	       ms_of(percentile(k.times, k.batches, 50)) * 1e3,
	       ms_of(percentile(k.times, k.batches, 99)) * 1e3);
	free(k.times);
	free(k.data);
	close(k.dir);
	return 0;
}
