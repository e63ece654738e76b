#include "evlog/rowdir_state.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "evlog/model.h"

#define MAGIC     "evlog-rows 1 "
#define FIRST_LEN (STATE_WORD_AT + STATE_WORD_LEN + 5 + 8 + 1) /* " crc=", digits, LF */

void state_begin(struct buf *out, const struct rowdir_state *s)
{
	buf_clear(out);
	buf_printf(out, MAGIC "%s crc=00000000\n", s->applied ? STATE_APPLIED : STATE_PENDING);
	buf_printf(out, "name %.*s\nstore %.*s\nprogram %s\nselector %s\n", (int)s->name.len,
	           s->name.p, (int)s->store.len, s->store.p, s->mark.program, s->mark.selector);
	buf_printf(out, "before %020ju\nsequence %020ju\nrecorded %ju\nrows %zu\n",
	           (uintmax_t)s->before, (uintmax_t)s->mark.sequence, (uintmax_t)s->mark.event_ns,
	           s->row_count);
}

void state_put_row(struct buf *out, struct span path, struct span row)
{
	buf_add(out, path.p, path.len);
	buf_add_char(out, ' ');
	if (row.len > 0)
		buf_add(out, row.p, row.len);
	else
		buf_add_char(out, '-');
	buf_add_char(out, '\n');
}

void state_finish(struct buf *out)
{
	if (out->failed)
		return;
	text_put_hex(out->data + FIRST_LEN - 9,
	             crc32c(0, out->data + FIRST_LEN, out->len - FIRST_LEN), 8);
}

/* The line that begins with "KEY ", off *rest; NULL: there is something else. */
static bool take_line(struct span *rest, const char *key, struct span *ret)
{
	size_t key_len = strlen(key);
	const char *lf = rest->len > 0 ? memchr(rest->p, '\n', rest->len) : NULL;
	size_t len = lf != NULL ? (size_t)(lf - rest->p) : 0;

	if (lf == NULL || len <= key_len || memcmp(rest->p, key, key_len) != 0 ||
	    rest->p[key_len] != ' ')
		return false;
	*ret = (struct span){rest->p + key_len + 1, len - key_len - 1};
	*rest = (struct span){lf + 1, rest->len - len - 1};
	return true;
}

static bool take_text(struct span *rest, const char *key, char *to, size_t max)
{
	struct span s;

	if (!take_line(rest, key, &s) || s.len > max || memchr(s.p, '\0', s.len) != NULL)
		return false;
	memcpy(to, s.p, s.len);
	to[s.len] = '\0';
	return true;
}

static bool take_number(struct span *rest, const char *key, uint64_t *ret)
{
	struct span s;
	struct err e;

	return take_line(rest, key, &s) && num_u64_len(s.p, s.len, 0, UINT64_MAX, ret, &e) == 0;
}

/* The first line, off *rest. */
static bool take_first(struct span *rest, bool *ret_applied)
{
	const char *p = rest->p;
	uint64_t crc;

	if (rest->len < FIRST_LEN || p[FIRST_LEN - 1] != '\n')
		return false;
	*ret_applied = memcmp(p + STATE_WORD_AT, STATE_APPLIED, STATE_WORD_LEN) == 0;
	if (!*ret_applied && memcmp(p + STATE_WORD_AT, STATE_PENDING, STATE_WORD_LEN) != 0)
		return false;
	if (memcmp(p + STATE_WORD_AT + STATE_WORD_LEN, " crc=", 5) != 0 ||
	    text_get_hex(p + FIRST_LEN - 9, 8, &crc) < 0)
		return false;
	*rest = (struct span){p + FIRST_LEN, rest->len - FIRST_LEN};
	return crc == crc32c(0, rest->p, rest->len);
}

/* A path is TABLE/FILE, both names of row_put_path(). */
static bool is_path(struct span path)
{
	const char *slash = memchr(path.p, '/', path.len);

	return slash != NULL && slash > path.p && slash + 1 < path.p + path.len &&
	       path.p[0] != '.' && slash[1] != '.' &&
	       memchr(slash + 1, '/', path.len - (size_t)(slash + 1 - path.p)) == NULL &&
	       memchr(path.p, '\0', path.len) == NULL;
}

static bool next_row(struct span *rows, struct span *path, struct span *row)
{
	const char *lf = rows->len > 0 ? memchr(rows->p, '\n', rows->len) : NULL;
	const char *sp = lf != NULL ? memchr(rows->p, ' ', (size_t)(lf - rows->p)) : NULL;

	if (sp == NULL)
		return false;
	*path = (struct span){rows->p, (size_t)(sp - rows->p)};
	*row = (struct span){sp + 1, (size_t)(lf - sp - 1)};
	if (span_is(*row, (struct span){"-", 1}))
		row->len = 0;
	else if (row->len == 0)
		return false;
	*rows = (struct span){lf + 1, rows->len - (size_t)(lf + 1 - rows->p)};
	return is_path(*path);
}

bool state_next(struct span *rows, struct span *ret_path, struct span *ret_row)
{
	return rows->len > 0 && next_row(rows, ret_path, ret_row);
}

static bool check_rows(const struct rowdir_state *s)
{
	struct span rest = s->rows;
	struct span path;
	struct span row;
	size_t n = 0;

	while (rest.len > 0) {
		if (!next_row(&rest, &path, &row))
			return false;
		n++;
	}
	return n == s->row_count;
}

int state_parse(struct rowdir_state *s, struct span text, struct err *e)
{
	struct span rest = text;
	uint64_t rows;

	*s = (struct rowdir_state){.applied = false};
	if (text.len < strlen(MAGIC) || memcmp(text.p, "evlog-rows ", 11) != 0)
		return err_set(e, EBADMSG, "not the state of a model");
	if (memcmp(text.p, MAGIC, strlen(MAGIC)) != 0)
		return err_set(e, EVLOG_FOREIGN, "a model of another version of evlog");
	if (!take_first(&rest, &s->applied) || !take_line(&rest, "name", &s->name) ||
	    !take_line(&rest, "store", &s->store) ||
	    !take_text(&rest, "program", s->mark.program, CURSOR_PROGRAM_LEN) ||
	    !take_text(&rest, "selector", s->mark.selector, CURSOR_SELECTOR_MAX) ||
	    !take_number(&rest, "before", &s->before) ||
	    !take_number(&rest, "sequence", &s->mark.sequence) ||
	    !take_number(&rest, "recorded", &s->mark.event_ns) ||
	    !take_number(&rest, "rows", &rows))
		return err_set(e, EBADMSG, "damaged");
	s->row_count = (size_t)rows;
	s->rows = rest;
	return check_rows(s) ? 0 : err_set(e, EBADMSG, "damaged");
}
