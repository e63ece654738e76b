#include "os/clock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "os/file.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define UUID_LEN     36

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;
	int r = clock_gettime(clock, &t);

	/* The three clocks exist since Linux 2.6.39, and t is ours: it cannot fail. */
	assert(r == 0);
	(void)r;
	return (int64_t)t.tv_sec * CLOCK_NS_PER_SEC + t.tv_nsec;
}

int64_t clock_wall_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

int64_t clock_boot_ns(void)
{
	return now_ns(CLOCK_BOOTTIME);
}

int64_t clock_mono_ns(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

/* The value of a hexadecimal digit, or -1. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* "8-4-4-4-12" hexadecimal digits; false when the text is something else. */
static bool parse_uuid(const char *s, size_t n, unsigned char id[CLOCK_BOOT_ID_SIZE])
{
	size_t digits = 0;

	if (n != UUID_LEN)
		return false;
	memset(id, 0, CLOCK_BOOT_ID_SIZE);
	for (size_t i = 0; i < n; i++) {
		int v = hex_value(s[i]);

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (s[i] != '-')
				return false;
			continue;
		}
		if (v < 0)
			return false;
		id[digits / 2] = (unsigned char)(id[digits / 2] << 4 | v);
		digits++;
	}
	return true;
}

int clock_boot_id(unsigned char id[CLOCK_BOOT_ID_SIZE], struct err *e)
{
	unsigned char parsed[CLOCK_BOOT_ID_SIZE];
	struct buf b = {0};
	int r = -1;

	if (file_read(AT_FDCWD, BOOT_ID_PATH, UUID_LEN + 1, &b, e) < 0)
		goto out;
	if (b.len > 0 && b.data[b.len - 1] == '\n')
		b.len--;
	if (!parse_uuid(b.data, b.len, parsed)) {
		err_set(e, EBADMSG, "'%s' holds no boot id", BOOT_ID_PATH);
		goto out;
	}
	memcpy(id, parsed, sizeof(parsed));
	r = 0;
out:
	buf_done(&b);
	return r;
}
