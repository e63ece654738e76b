/* edge: bytes in and out, and what is said to people. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "raftctl.h"

struct span span_of(const char *s)
{
	return (struct span){s, strlen(s)};
}

void check_buf(const struct buf *b)
{
	struct err e;

	if (buf_ok(b, &e) < 0)
		tool_die(TOOL_OSERR, &e);
}

void write_line(struct buf *b, char end)
{
	buf_add_char(b, end);
	check_buf(b);
	tool_write(b->data, b->len);
	buf_clear(b);
}

void say_no(const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list ap;

	if (!tool_is_terminal(STDERR_FILENO))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tool_warn("%s", text);
}

static void read_stdin(struct buf *b)
{
	for (;;) {
		char *to = buf_reserve(b, (size_t)64 << 10);
		ssize_t n;

		check_buf(b);
		n = read(STDIN_FILENO, to, (size_t)64 << 10);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			tool_dief(errno == EISDIR ? TOOL_NOINPUT : TOOL_IOERR, "read stdin: %s",
			          strerror(errno));
		if (n == 0)
			return;
		b->len += (size_t)n;
		if (b->len > RAFTCTL_INPUT_MAX)
			tool_dief(TOOL_DATA, "stdin: over %zu bytes", RAFTCTL_INPUT_MAX);
	}
}

struct span value_of(const char *operand, struct buf *b)
{
	if (strcmp(operand, "-") != 0)
		return span_of(operand);
	read_stdin(b);
	return (struct span){b->data, b->len};
}
