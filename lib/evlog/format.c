/* format: the FORMAT file, a few lines of text that say whose store this is (evlog-format(5)). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/text.h"
#include "evlog/store_impl.h"

#define FORMAT_NAME "FORMAT"
#define FORMAT_MAX  4096u

int format_write(const struct io *io, int dir, const struct evlog_init *init, struct err *e)
{
	struct buf b = {0};
	char time[TEXT_TIME_LEN];
	char uuid[ID_HEX_LEN];
	int r;

	text_put_time(time, init->now_ns);
	buf_add_str(&b, "evlog 1\nuuid ");
	id_put_hex(uuid, init->uuid);
	buf_add(&b, uuid, sizeof(uuid));
	buf_printf(&b, "\ncreated %.*s\nsegment-size %llu\nmode %s\n", TEXT_TIME_LEN, time,
	           (unsigned long long)(init->segment_size != 0 ? init->segment_size
	                                                        : EVLOG_SEGMENT_DEFAULT),
	           init->shared ? "shared" : "private");
	r = buf_ok(&b, e);
	if (r == 0)
		r = file_replace(io, dir, FORMAT_NAME, b.data, b.len, init->shared ? 0660 : 0600,
		                 e);
	buf_done(&b);
	return r;
}

static int parse_uuid(const char *p, size_t n, unsigned char uuid[16])
{
	struct err ignored;

	return n == ID_HEX_LEN ? id_parse(p, n, uuid, &ignored) : -1;
}

/* One "key value" line; -1 when it is none that this version knows. */
static int parse_line(const char *p, size_t n, struct format *f, bool *has_uuid)
{
	const char *sp = memchr(p, ' ', n);
	size_t key, len;
	struct err ignored;

	if (sp == NULL)
		return -1;
	key = (size_t)(sp - p);
	len = n - key - 1;
	sp++;
	if (key == 4 && memcmp(p, "uuid", 4) == 0) {
		*has_uuid = true;
		return parse_uuid(sp, len, f->uuid);
	}
	if (key == 7 && memcmp(p, "created", 7) == 0)
		return 0;
	if (key == 12 && memcmp(p, "segment-size", 12) == 0)
		return num_u64_len(sp, len, EVLOG_SEGMENT_MIN, EVLOG_SEGMENT_MAX, &f->segment_size,
		                   &ignored);
	if (key == 4 && memcmp(p, "mode", 4) == 0) {
		f->shared = len == 6 && memcmp(sp, "shared", 6) == 0;
		return f->shared || (len == 7 && memcmp(sp, "private", 7) == 0) ? 0 : -1;
	}
	return -1;
}

int format_read(int dir, struct format *f, struct err *e)
{
	struct buf b = {0};
	bool has_uuid = false;
	int r = -1;

	*f = (struct format){.segment_size = EVLOG_SEGMENT_DEFAULT};
	if (file_read(dir, FORMAT_NAME, FORMAT_MAX, &b, e) < 0) {
		if (e->code == ENOENT)
			err_set(e, EVLOG_NO_STORE, "no FORMAT file");
		goto out;
	}
	if (b.len < 8 || memcmp(b.data, "evlog 1\n", 8) != 0) {
		err_set(e, EVLOG_FOREIGN,
		        "FORMAT does not begin with 'evlog 1': a store of another "
		        "version; use the evlog that made it to export it");
		goto out;
	}
	for (size_t at = 8; at < b.len;) {
		const char *lf = memchr(b.data + at, '\n', b.len - at);
		size_t n = lf == NULL ? b.len - at : (size_t)(lf - b.data) - at;

		if (parse_line(b.data + at, n, f, &has_uuid) < 0) {
			err_set(e, EVLOG_FOREIGN,
			        "FORMAT has a line that this version does not know: '%.*s'",
			        (int)(n > 80 ? 80 : n), b.data + at);
			goto out;
		}
		at += n + 1;
	}
	if (!has_uuid)
		err_set(e, EVLOG_FOREIGN, "FORMAT has no uuid line");
	else
		r = 0;
out:
	buf_done(&b);
	return r;
}
