#include "raft_story.h"

#include <string.h>

#include "base/text.h"
#include "raft_story_world.h"

uint64_t story_number(const char *word)
{
	struct err e;
	uint64_t n;

	return word != NULL && num_u64(word, 0, UINT64_MAX, &n, &e) == 0 ? n : UINT64_MAX;
}

static void run_one(struct story *s, char *text)
{
	struct world *w = s->world;
	char *word[STORY_WORDS_MAX + 1];
	char **first = word;
	char *at;
	const char *bad;
	int n = 0;
	bool is_expect;

	for (char *p = strtok_r(text, " ", &at); p != NULL && n < STORY_WORDS_MAX;
	     p = strtok_r(NULL, " ", &at))
		word[n++] = p;
	word[n] = NULL;
	if (n > 1 && strcmp(word[0], "quiet") == 0)
		first++, n--;
	if (n == 0)
		return;
	is_expect = strcmp(first[0], "expect") == 0;
	bad = is_expect ? story_expect(s, n - 1, first + 1) : story_command(s, n, first);
	if (bad != NULL)
		buf_printf(&s->wrong, "line %u: %s: %s\n", s->line, first[0], bad);
	if (w->wrong.len > 0) {
		buf_printf(&s->wrong, "line %u:\n%.*s", s->line, (int)w->wrong.len, w->wrong.data);
		buf_clear(&w->wrong);
	}
	if (is_expect)
		return;
	buf_clear(&s->said);
	buf_add(&s->said, w->trace.data, w->trace.len);
	if (first == word)
		buf_add(&s->text, w->trace.data, w->trace.len);
	buf_clear(&w->trace);
}

static void run_line(struct story *s, struct span line)
{
	char text[1024];
	char *at = text;

	if (line.len == 0 || line.p[0] == '#')
		return;
	if (line.len >= sizeof(text)) {
		buf_printf(&s->wrong, "line %u: too long\n", s->line);
		return;
	}
	memcpy(text, line.p, line.len);
	text[line.len] = '\0';
	while (at != NULL) {
		char *next = strstr(at, "; ");

		if (next != NULL)
			*next = '\0';
		run_one(s, at);
		at = next != NULL ? next + 2 : NULL;
	}
}

void story_run(struct story *s, struct span script)
{
	*s = (struct story){.world = world_new()};
	while (script.len > 0) {
		const char *lf = memchr(script.p, '\n', script.len);
		size_t n = lf != NULL ? (size_t)(lf - script.p) : script.len;

		s->line++;
		if (n < 4 || memcmp(script.p, "    ", 4) != 0) {
			buf_add(&s->text, script.p, n);
			buf_add_char(&s->text, '\n');
			run_line(s, (struct span){script.p, n});
		}
		script.p += n + (lf != NULL);
		script.len -= n + (lf != NULL);
	}
}

void story_done(struct story *s)
{
	world_free(s->world);
	buf_done(&s->text);
	buf_done(&s->wrong);
	buf_done(&s->said);
}
