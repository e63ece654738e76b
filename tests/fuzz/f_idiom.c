/*
 * idiom: any text may be called a jq program.  What is found lies in it, in order, on the line that
 * is told.
 */
#include <string.h>

#include "evlog/idiom.h"
#include "fuzz.h"

struct seen {
	struct span text;
	const char *last;
};

static void check(const struct idiom *found, void *arg)
{
	struct seen *s = arg;
	unsigned line = 1;

	CHECK(found->what != NULL && found->word.len > 0);
	CHECK(found->word.p > s->last || s->last == NULL);
	CHECK(found->word.p >= s->text.p &&
	      found->word.p + found->word.len <= s->text.p + s->text.len);
	for (const char *p = s->text.p; p < found->word.p; p++)
		line += *p == '\n';
	CHECK(line == found->line);
	s->last = found->word.p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen s = {.text = {(const char *)data, size}};

	idiom_each(s.text, check, &s);
	(void)idiom_has_import(s.text);
	return 0;
}
