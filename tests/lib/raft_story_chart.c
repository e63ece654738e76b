/*
 * raft_story_chart: a story as a message chart (raft_story.h).
 *
 *	1           2           3
 *	|---------->|           |   append term 2 prev 1.1 entries 2.2 commit 0
 *	|           *           |   writes 2.2
 */
#include <string.h>

#include "raft_story.h"

#define WIDTH 8 /* of a column */
#define NODES 9

static bool is_id(char c)
{
	return c >= '1' && c <= '0' + NODES;
}

/* "A>B TEXT" or "N: TEXT": who, and what is left of the line. */
static bool parse(struct span *line, size_t *from, size_t *to)
{
	if (line->len < 8 || !is_id(line->p[4]))
		return false;
	*from = *to = (size_t)(line->p[4] - '1');
	if (line->p[5] == '>' && is_id(line->p[6]))
		*to = (size_t)(line->p[6] - '1');
	else if (line->p[5] != ':')
		return false;
	line->len -= *from == *to ? 7 : 8;
	line->p += *from == *to ? 7 : 8;
	return true;
}

static void draw(struct buf *to, struct span line, size_t columns)
{
	char row[NODES * WIDTH + 1];
	size_t a, b;

	if (!parse(&line, &a, &b)) {
		buf_add(to, line.p, line.len);
		buf_add_char(to, '\n');
		return;
	}
	memset(row, ' ', sizeof(row));
	for (size_t i = 0; i < columns; i++)
		row[i * WIDTH] = '|';
	if (a == b) {
		row[a * WIDTH] = '*';
	} else {
		size_t low = a < b ? a : b, high = a < b ? b : a;

		for (size_t i = low * WIDTH + 1; i < high * WIDTH; i++)
			if (row[i] == ' ')
				row[i] = '-';
		row[a < b ? b * WIDTH - 1 : b * WIDTH + 1] = a < b ? '>' : '<';
	}
	buf_add_str(to, "    ");
	buf_add(to, row, columns * WIDTH);
	buf_add(to, line.p, line.len);
	buf_add_char(to, '\n');
}

static size_t count_columns(struct span text)
{
	size_t columns = 1;

	for (size_t i = 0; i + 6 < text.len; i++) {
		struct span line = {text.p + i, 9};
		size_t a, b;

		if (i + 9 < text.len && memcmp(text.p + i, "\n    ", 5) == 0) {
			line.p++;
			if (parse(&line, &a, &b) && (a > b ? a : b) >= columns)
				columns = (a > b ? a : b) + 1;
		}
	}
	return columns;
}

void story_chart(struct buf *to, struct span text)
{
	size_t columns = count_columns(text);

	while (text.len > 0) {
		const char *lf = memchr(text.p, '\n', text.len);
		size_t n = lf != NULL ? (size_t)(lf - text.p) : text.len;

		if (n > 4 && memcmp(text.p, "    ", 4) == 0) {
			draw(to, (struct span){text.p, n}, columns);
		} else {
			buf_add(to, text.p, n);
			buf_add_char(to, '\n');
		}
		text.p += n + (lf != NULL);
		text.len -= n + (lf != NULL);
	}
}
