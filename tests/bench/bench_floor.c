/*
 * bench_floor: the least that a durable append can cost.
 *
 *	bench_floor              nothing: what it takes to start a program
 *	bench_floor FILE         append a line, fdatasync, end
 *	bench_floor FILE COUNT   the same COUNT times: prints p50, p99 and max of line and
 *fdatasync, in microseconds
 */
#include "bench.h"

#define LINE_LEN 256

static void append(int fd)
{
	char line[LINE_LEN];

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	write_all(fd, line, sizeof(line));
	if (fdatasync(fd) < 0)
		die_errno("fdatasync");
}

static void repeat(int fd, size_t count)
{
	int64_t *times = allocate(count, sizeof(*times));

	for (size_t i = 0; i < count; i++) {
		int64_t begin = clock_mono_ns();

		append(fd);
		times[i] = clock_mono_ns() - begin;
	}
	sort_times(times, count);
	printf("%.0f %.0f %.0f\n", ms_of(percentile(times, count, 50)) * 1e3,
	       ms_of(percentile(times, count, 99)) * 1e3,
	       ms_of(percentile(times, count, 100)) * 1e3);
	free(times);
}

int main(int argc, char **argv)
{
	int fd;

	if (argc == 1)
		return 0;
	fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		die_errno(argv[1]);
	if (argc == 2)
		append(fd);
	else if (number(argv[2]) > 0)
		repeat(fd, number(argv[2]));
	close(fd);
	return 0;
}
