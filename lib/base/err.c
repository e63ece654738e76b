#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A foreign name inside a message must not move the cursor or start a new line. */
static void clean(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
}

static void mark_cut(struct err *e, int len)
{
	if (len >= ERR_MSG_MAX)
		memcpy(e->msg + ERR_MSG_MAX - 4, "...", 4);
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	e->code = code;
	va_start(ap, fmt);
	mark_cut(e, vsnprintf(e->msg, sizeof(e->msg), fmt, ap));
	va_end(ap);
	clean(e->msg);
	return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int code = errno;
	char what[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(e, code, "%s: %s", what, strerror(code));
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char what[ERR_MSG_MAX];
	char why[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	memcpy(why, e->msg, sizeof(why));
	return err_set(e, e->code, "%s: %s", what, why);
}
