#include "os/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json_out.h"
#include "base/text.h"
#include "os/clock.h"

static const char *const levels[] = {"error", "warn", "info", "debug"};
static const char *const formats[] = {"json", "logfmt", "human"};

/* A bare word needs no quotes in logfmt. */
static bool is_bare(const char *s)
{
	if (*s == '\0')
		return false;
	for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || strchr("\"=\\", *p) != NULL)
			return false;
	return true;
}

static void add_value(struct buf *b, const struct log_field *f, bool quoted)
{
	if (f->text == NULL)
		buf_printf(b, "%" PRId64, f->number);
	else if (!quoted && is_bare(f->text))
		buf_add_str(b, f->text);
	else
		json_out_string(b, f->text, strlen(f->text));
}

static void add_field(struct buf *b, enum log_format format, const struct log_field *f)
{
	if (format == LOG_JSON)
		json_out_key(b, f->name);
	else
		buf_printf(b, "%s%s=", b->len > 0 ? " " : "", f->name);
	add_value(b, f, format == LOG_JSON);
}

/* The message is for people here: only what would break the line is taken out of it. */
static void add_human(struct buf *b, const char *ts, const char *level, const char *msg)
{
	buf_printf(b, "%.12s %-5s ", ts + strlen("2026-11-23T"), level);
	for (; *msg != '\0'; msg++)
		buf_add_char(b, (unsigned char)*msg < ' ' || *msg == 0x7f ? '?' : *msg);
}

static void write_line(int fd, const struct buf *b)
{
	ssize_t n;

	do
		n = write(fd, b->data, b->len);
	while (n < 0 && errno == EINTR);
}

void log_event(const struct log *l, enum log_level level, const char *msg,
               const struct log_field *fields, size_t count)
{
	char ts[TEXT_TIME_LEN + 1] = {0};
	struct log_field head[] = {{"ts", ts, 0}, {"level", levels[level], 0}, {"msg", msg, 0}};
	struct buf b = {0};

	if (level > l->level)
		return;
	text_put_time(ts, clock_wall_ns());
	if (l->format == LOG_JSON)
		buf_add_char(&b, '{');
	if (l->format == LOG_HUMAN)
		add_human(&b, ts, levels[level], msg);
	for (size_t i = 0; l->format != LOG_HUMAN && i < 3; i++)
		add_field(&b, l->format, &head[i]);
	for (size_t i = 0; i < count; i++)
		add_field(&b, l->format, &fields[i]);
	buf_add_str(&b, l->format == LOG_JSON ? "}\n" : "\n");
	if (!b.failed)
		write_line(l->fd, &b);
	buf_done(&b);
}

static int find(const char *name, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -1;
}

int log_level_of(const char *name, enum log_level *ret, struct err *e)
{
	int i = find(name, levels, 4);

	if (i < 0)
		return err_set(e, EINVAL, "log level '%s': error, warn, info or debug", name);
	*ret = (enum log_level)i;
	return 0;
}

int log_format_of(const char *name, enum log_format *ret, struct err *e)
{
	int i = find(name, formats, 3);

	if (i < 0)
		return err_set(e, EINVAL, "log format '%s': json, logfmt or human", name);
	*ret = (enum log_format)i;
	return 0;
}
