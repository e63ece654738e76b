#include "evlog/idiom.h"

#include <stddef.h>
#include <string.h>

#define DEPTH_MAX 64 /* interpolations in strings in interpolations ... */
#define DEFS_MAX  64 /* functions of the program's own that are known */

enum word_kind {
	WORD_END,
	WORD_NAME,     /* of a function or keyword */
	WORD_FIELD,    /* .name */
	WORD_VARIABLE, /* $name */
	WORD_FORMAT,   /* @name */
	WORD_STRING,   /* up to its end or an interpolation */
	WORD_OPERATOR
};

struct word {
	enum word_kind kind;
	struct span text;
	bool interpolated; /* a string: "\(" comes next */
	unsigned line;
};

struct reader {
	const char *p, *end;
	unsigned line;
	unsigned parens;           /* open ones since the last interpolation */
	unsigned outer[DEPTH_MAX]; /* those around it */
	size_t depth;
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == ':';
}

static void skip_blank(struct reader *r)
{
	while (r->p < r->end) {
		if (*r->p == '#') {
			while (r->p < r->end && *r->p != '\n')
				r->p++;
		} else if (*r->p == '\n') {
			r->line++;
			r->p++;
		} else if (*r->p == ' ' || *r->p == '\t' || *r->p == '\r') {
			r->p++;
		} else {
			return;
		}
	}
}

/* What follows the opening quote, or the end of an interpolation. */
static void read_string(struct reader *r, struct word *w)
{
	w->kind = WORD_STRING;
	while (r->p < r->end && *r->p != '"') {
		if (*r->p == '\n')
			r->line++;
		if (*r->p != '\\' || r->p + 1 == r->end) {
			r->p++;
			continue;
		}
		r->line += r->p[1] == '\n';
		r->p += 2;
		if (r->p[-1] == '(' && r->depth < DEPTH_MAX) {
			w->interpolated = true;
			r->outer[r->depth++] = r->parens;
			r->parens = 0;
			return;
		}
	}
	if (r->p < r->end)
		r->p++;
}

static void read_name(struct reader *r, struct word *w, enum word_kind kind)
{
	w->kind = kind;
	while (r->p < r->end && is_name(*r->p) &&
	       (*r->p != ':' || (r->p + 1 < r->end && r->p[1] == ':') || r->p[-1] == ':'))
		r->p++;
}

static void read_operator(struct reader *r, struct word *w)
{
	char c = *r->p++;

	w->kind = WORD_OPERATOR;
	if (c == '(')
		r->parens++;
	if (c == ')' && r->parens > 0) {
		r->parens--;
	} else if (c == ')' && r->depth > 0) {
		r->parens = r->outer[--r->depth];
		read_string(r, w);
		return;
	}
	if (strchr("+-*/%|=!<>?.", c) == NULL)
		return;
	while (r->p < r->end && strchr("/=.", *r->p) != NULL && (c != '.') == (*r->p != '.'))
		r->p++;
}

static void next_word(struct reader *r, struct word *w)
{
	const char *from;

	skip_blank(r);
	from = r->p;
	*w = (struct word){.kind = WORD_END, .line = r->line};
	if (r->p == r->end)
		return;
	if (is_letter(*r->p)) {
		read_name(r, w, WORD_NAME);
	} else if (*r->p == '"') {
		r->p++;
		read_string(r, w);
	} else if ((*r->p == '.' || *r->p == '$' || *r->p == '@') && r->p + 1 < r->end &&
	           is_letter(r->p[1])) {
		char c = *r->p++;

		read_name(r, w, c == '.' ? WORD_FIELD : c == '$' ? WORD_VARIABLE : WORD_FORMAT);
	} else {
		read_operator(r, w);
	}
	w->text = (struct span){from, (size_t)(r->p - from)};
}

static bool is_word(const struct word *w, enum word_kind kind, const char *text)
{
	return w->kind == kind && span_is(w->text, span_str(text));
}

/* ---- What is known of words. */

struct known {
	const char *word, *what;
};

static const char slow_sort[] = "sorts for each event";
static const char slow_regex[] =
    "compiles its regular expression for each event; startswith, split, index or == are faster";
static const char slow_walk[] = "walks over all of the event";
static const char slow_update[] =
    "an update through a path; '.[$k] = .[$k] + 1' is much faster than '.[$k] += 1'";
static const char of_time[] = "depends on the time, not on the event";
static const char of_environment[] = "depends on the environment, not on the event";
static const char of_input[] = "is refused: the program gets one event at a time";
static const char of_end[] = "is refused: the program does not end by itself";

static const struct known names[] = {
    {"sort", slow_sort},
    {"sort_by", slow_sort},
    {"group_by", slow_sort},
    {"unique", slow_sort},
    {"unique_by", slow_sort},
    {"test", slow_regex},
    {"match", slow_regex},
    {"capture", slow_regex},
    {"scan", slow_regex},
    {"sub", slow_regex},
    {"gsub", slow_regex},
    {"splits", slow_regex},
    {"walk", slow_walk},
    {"recurse", slow_walk},
    {"paths", slow_walk},
    {"leaf_paths", slow_walk},
    {"now", of_time},
    {"localtime", of_environment},
    {"strflocaltime", of_environment},
    {"env", of_environment},
    {"input_filename", of_environment},
    {"input_line_number", of_environment},
    {"input", of_input},
    {"inputs", of_input},
    {"halt", of_end},
    {"halt_error", of_end},
};

static const struct known operators[] = {
    {"+=", slow_update}, {"-=", slow_update},  {"*=", slow_update}, {"/=", slow_update},
    {"%=", slow_update}, {"//=", slow_update}, {"|=", slow_update}, {"..", slow_walk},
};

static const char *find(const struct known *known, size_t n, struct span word)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(word, span_str(known[i].word)))
			return known[i].what;
	return NULL;
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *complaint(const struct word *w)
{
	switch (w->kind) {
	case WORD_NAME:
		return find(names, COUNT(names), w->text);
	case WORD_OPERATOR:
		return find(operators, COUNT(operators), w->text);
	case WORD_VARIABLE:
		return is_word(w, WORD_VARIABLE, "$ENV") ? of_environment : NULL;
	case WORD_FORMAT:
		return is_word(w, WORD_FORMAT, "@sh")
		           ? "quotes for a shell; in SQL, values belong into \"args\""
		           : NULL;
	default:
		return NULL;
	}
}

/* ---- Reading a program. */

struct search {
	struct reader r;
	struct word before, word, after;
	struct span defs[DEFS_MAX];
	size_t def_count;
	bool in_sql; /* behind "sql": and before what ends its text */
};

static bool step(struct search *s)
{
	s->before = s->word;
	s->word = s->after;
	next_word(&s->r, &s->after);
	return s->word.kind != WORD_END;
}

static void begin(struct search *s, struct span text)
{
	*s = (struct search){.r = {.p = text.p, .end = text.p + text.len, .line = 1}};
	next_word(&s->r, &s->after);
}

static bool is_own(const struct search *s)
{
	for (size_t i = 0; i < s->def_count; i++)
		if (span_is(s->defs[i], s->word.text))
			return true;
	return false;
}

/* A name in front of a colon is a key of an object. */
static bool is_key(const struct search *s)
{
	return is_word(&s->after, WORD_OPERATOR, ":");
}

static void follow_sql(struct search *s)
{
	if (is_word(&s->word, WORD_OPERATOR, ":"))
		s->in_sql = is_word(&s->before, WORD_NAME, "sql") ||
		            is_word(&s->before, WORD_STRING, "\"sql\"");
	else if (is_word(&s->word, WORD_OPERATOR, ",") || is_word(&s->word, WORD_OPERATOR, "}"))
		s->in_sql = false;
}

void idiom_each(struct span text, idiom_fn *fn, void *arg)
{
	struct search s;

	begin(&s, text);
	while (step(&s)) {
		struct idiom found = {s.word.line, s.word.text, NULL};

		follow_sql(&s);
		if (is_word(&s.before, WORD_NAME, "def") && s.def_count < DEFS_MAX)
			s.defs[s.def_count++] = s.word.text;
		if (s.in_sql && (s.word.interpolated || is_word(&s.word, WORD_OPERATOR, "+")))
			found.what = "values in the text of SQL: use '?' and \"args\"";
		else if (s.word.kind != WORD_NAME || (!is_key(&s) && !is_own(&s)))
			found.what = complaint(&s.word);
		if (found.what != NULL)
			fn(&found, arg);
	}
}

bool idiom_has_import(struct span text)
{
	struct search s;

	begin(&s, text);
	return step(&s) &&
	       (is_word(&s.word, WORD_NAME, "import") || is_word(&s.word, WORD_NAME, "include") ||
	        is_word(&s.word, WORD_NAME, "module"));
}
