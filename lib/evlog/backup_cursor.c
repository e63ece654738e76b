#include "evlog/backup_cursor.h"

#include <errno.h>
#include <string.h>

#include "evlog/cursor.h"
#include "evlog/store_impl.h"

#define WORD     "cursor "
#define WORD_LEN (sizeof(WORD) - 1)

struct putting {
	const struct evlog *s;
	struct buf *to;
};

static int save_cursor(const struct cursor_id *id, const struct cursor_state *state, bool held,
                       void *arg, struct err *e)
{
	struct putting *p = arg;
	char text[CURSOR_TEXT_MAX];
	char slot[CURSOR_SLOT];
	size_t len = sizeof(slot) - 1;

	(void)held;
	if (state == NULL)
		return 0;
	cursor_id_text(text, id);
	cursor_slot_put(slot, state, p->s->salt);
	while (slot[len - 1] == ' ')
		len--;
	buf_printf(p->to, WORD "%s %.*s\n", text, (int)len, slot);
	return buf_ok(p->to, e);
}

int backup_put_cursors(struct evlog *s, struct buf *to, struct err *e)
{
	struct putting p = {s, to};

	return cursor_each(s, save_cursor, &p, e);
}

bool backup_is_cursor(const char *line, size_t len)
{
	return len > WORD_LEN && memcmp(line, WORD, WORD_LEN) == 0;
}

int backup_get_cursor(const struct io *io, int to, const char *line, size_t len, uint32_t salt,
                      struct err *e)
{
	const char *name = line + WORD_LEN;
	size_t left = len - WORD_LEN;
	const char *sp = memchr(name, ' ', left);
	size_t n = sp == NULL ? left : (size_t)(sp - name);
	char text[CURSOR_TEXT_MAX], plain[CURSOR_NAME_MAX + 1], file[CURSOR_FILE];
	struct cursor_state state;
	struct cursor_id id;
	int dir, r;

	memset(file, ' ', sizeof(file));
	if (sp == NULL || n >= sizeof(text) || left - n - 1 >= CURSOR_SLOT)
		return err_set(e, EVLOG_FOREIGN, "MANIFEST has a line that is none");
	memcpy(text, name, n);
	text[n] = '\0';
	memcpy(file, sp + 1, left - n - 1);
	if (cursor_parse_id(text, plain, &id, e) < 0 || !cursor_slot_get(file, salt, &state))
		return err_set(e, EVLOG_DAMAGED, "MANIFEST has a cursor that is none");
	if (io->mkdirat(to, "cursors", 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make directory 'cursors'");
	dir = file_open_dir(io, to, "cursors", e);
	if (dir < 0)
		return -1;
	cursor_file_put(file, &state, salt);
	r = file_replace(io, dir, text, file, sizeof(file), 0600, e);
	file_close(io, dir);
	return r;
}
