#include "cover.h"

#define LINE 98

static const char *const texts[] = {
#define COVER_TEXT(name, text) text,
    COVER_LIST(COVER_TEXT)
#undef COVER_TEXT
};

void cover_add(struct cover *to, const struct cover *from)
{
	for (unsigned i = 0; i < COVER_CLASSES; i++)
		to->count[i] += from->count[i];
}

unsigned cover_print(const struct cover *c, FILE *f)
{
	unsigned never = 0;
	size_t column = 0;

	for (unsigned i = 0; i < COVER_CLASSES; i++) {
		char word[80];
		int len = snprintf(word, sizeof(word), "%llu %s%s", (unsigned long long)c->count[i],
		                   texts[i], i + 1 < COVER_CLASSES ? "," : "");

		if (column == 0 || column + (size_t)len > LINE) {
			fputs(column == 0 ? "# " : "\n# ", f);
			column = 2;
		}
		if (column > 2)
			fputc(' ', f);
		fputs(word, f);
		column += (size_t)len + 1;
		if (c->count[i] == 0)
			never++;
	}
	fputc('\n', f);
	return never;
}

void cover_print_missing(const struct cover *c, FILE *f)
{
	for (unsigned i = 0; i < COVER_CLASSES; i++)
		if (c->count[i] == 0)
			fprintf(f, "not ok - never reached: %s\n", texts[i]);
}
