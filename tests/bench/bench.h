/*
 * bench: what the programs of tests/bench share.
 *
 * They measure and print; a failure ends them with a message and status 1.  Numbers go to stdout
 * or to a file, one line each, for the script beside them to take medians of.
 */
#ifndef SHOAL_TESTS_BENCH_H
#define SHOAL_TESTS_BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "evlog/frame.h"
#include "os/clock.h"

_Noreturn static inline void __attribute__((format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

_Noreturn static inline void die_errno(const char *what)
{
	die("%s: %s", what, strerror(errno));
}

static inline uint64_t number(const char *text)
{
	uint64_t v;
	struct err e;

	if (num_u64(text, 0, UINT64_MAX, &v, &e) < 0)
		die("%s", e.msg);
	return v;
}

static inline void *allocate(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (p == NULL)
		die("out of memory");
	return p;
}

static inline void write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			die_errno("write");
		p += done;
		n -= (size_t)done;
	}
}

extern char **environ;

/* A child process, with pipes of ours to its stdin and from its stdout. */
struct child {
	pid_t pid;
	int to, from;
};

static inline void start_child(struct child *c, const char *const argv[])
{
	posix_spawn_file_actions_t actions;
	int in[2];
	int out[2];

	if (argv[0] == NULL)
		die("a command is missing");
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		die_errno("pipe");
	if (posix_spawn_file_actions_init(&actions) != 0 ||
	    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO) != 0 ||
	    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO) != 0)
		die("out of memory");
	/* posix_spawn(3) changes no word; that its type says otherwise is history. */
	errno =
	    posix_spawnp(&c->pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	if (errno != 0)
		die_errno(argv[0]);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	c->to = in[1];
	c->from = out[0];
}

static inline int bench_compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Sort n times; percentile() then finds the value below which that share of them is. */
static inline void sort_times(int64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), bench_compare);
}

static inline int64_t percentile(const int64_t *v, size_t n, unsigned percent)
{
	return v[(n - 1) * percent / 100];
}

static inline double ms_of(int64_t ns)
{
	return (double)ns / 1e6;
}

#define BENCH_BLOCK    (256u << 10)
#define BENCH_LINE_MAX (8u << 20)

/* Lines of stdin; zeroed, and at the end buf_done(&in->buf). */
struct lines {
	struct buf buf;
	size_t begin;
	bool at_end;
};

/* More bytes behind those that are unread; false: there are none. */
static inline bool read_lines(struct lines *in)
{
	ssize_t n;

	buf_consume(&in->buf, in->begin);
	in->begin = 0;
	if (in->at_end && in->buf.len == 0)
		return false;
	if (in->at_end || in->buf.len > BENCH_LINE_MAX)
		die("a line without end");
	if (buf_reserve(&in->buf, BENCH_BLOCK) == NULL)
		die("out of memory");
	n = read(STDIN_FILENO, in->buf.data + in->buf.len, BENCH_BLOCK);
	if (n < 0)
		die_errno("read");
	in->buf.len += (size_t)n;
	in->at_end = n == 0;
	return true;
}

/* The next line without its LF, borrowed until the next call; false at the end. */
static inline bool next_line(struct lines *in, struct span *ret)
{
	size_t scanned = 0; /* bytes of the unread ones without LF */

	do {
		size_t left = in->buf.len - in->begin;
		const char *from = in->buf.data == NULL ? "" : in->buf.data + in->begin;
		const char *lf = memchr(from + scanned, '\n', left - scanned);

		if (lf != NULL) {
			*ret = (struct span){from, (size_t)(lf - from)};
			in->begin += ret->len + 1;
			return true;
		}
		scanned = left;
	} while (read_lines(in));
	return false;
}

/* The value of 16 hex digits or so that looks random but is the same in every run (splitmix64). */
static inline uint64_t mix(uint64_t seed, uint64_t n)
{
	uint64_t x = seed + (n + 1) * 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

#endif
