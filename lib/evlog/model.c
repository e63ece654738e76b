/* model: names and expected versions. */
#include "evlog/model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

int expect_parse(const char *p, size_t len, struct expect *ret, struct err *e)
{
	static const struct {
		const char *word;
		enum expect_kind kind;
	} words[] = {{"any", EXPECT_ANY}, {"none", EXPECT_NONE}, {"exists", EXPECT_EXISTS}};
	uint64_t v;

	for (size_t i = 0; i < 3; i++)
		if (len == strlen(words[i].word) && memcmp(p, words[i].word, len) == 0) {
			*ret = (struct expect){.kind = words[i].kind};
			return 0;
		}
	if (num_u64_len(p, len, 0, UINT32_MAX - 1, &v, e) < 0)
		return err_set(
		    e, EINVAL,
		    "expected version '%.*s' is not any, none, exists or a version number",
		    (int)(len > 40 ? 40 : len), p);
	*ret = (struct expect){.kind = EXPECT_VERSION, .version = (uint32_t)v};
	return 0;
}

void expect_text(char to[EXPECT_TEXT_MAX], const struct expect *x)
{
	static const char *const words[] = {"any", "none", "exists"};

	if (x->kind == EXPECT_VERSION)
		snprintf(to, EXPECT_TEXT_MAX, "%u", x->version);
	else if (x->kind == EXPECT_BECOMES && x->version > 0)
		snprintf(to, EXPECT_TEXT_MAX, "%u", x->version - 1);
	else
		snprintf(to, EXPECT_TEXT_MAX, "%s",
		         x->kind == EXPECT_BECOMES ? "none" : words[x->kind]);
}

bool expect_is_met(const struct expect *x, const struct stream_state *st)
{
	switch (x->kind) {
	case EXPECT_ANY:
		return true;
	case EXPECT_NONE:
		return !st->exists || st->deleted;
	case EXPECT_EXISTS:
		return st->exists && !st->deleted;
	case EXPECT_VERSION:
		/* Also that of a deletion, which its receipt has told. */
		return st->exists && st->version == x->version;
	case EXPECT_BECOMES:
		return !st->exists || st->version + 1 == x->version;
	}
	return false;
}

bool evlog_selects(struct span selector, struct span stream)
{
	size_t prefix = selector.len - 1;

	if (selector.len == 0 || stream.len == 0)
		return false;
	if (span_is(selector, (struct span){"--all", 5}))
		return stream.p[0] != '$';
	if (selector.p[prefix] != '*')
		return span_is(selector, stream);
	return stream.len >= prefix && memcmp(stream.p, selector.p, prefix) == 0 &&
	       stream.p[0] != '$';
}

void event_deletes(struct event *ev, bool hard)
{
	const char *data = hard ? FRAME_DELETED_HARD : FRAME_DELETED_SOFT;

	ev->kind = FRAME_DELETED;
	ev->type = (struct span){FRAME_DELETED_TYPE, sizeof(FRAME_DELETED_TYPE) - 1};
	ev->data = span_str(data);
}

static bool is_name_byte(unsigned char c)
{
	return c > 0x20 && c != 0x7f;
}

int evlog_check_name(const char *what, const char *p, size_t len, struct err *e)
{
	if (len == 0)
		return err_set(e, EVLOG_BAD_EVENT, "%s is empty", what);
	if (len > FRAME_NAME_MAX)
		return err_set(e, EVLOG_BAD_EVENT, "%s has %zu bytes, at most %u are possible",
		               what, len, FRAME_NAME_MAX);
	for (size_t i = 0; i < len; i++)
		if (!is_name_byte((unsigned char)p[i]))
			return err_set(e, EVLOG_BAD_EVENT,
			               "%s '%.*s' has a space or a control character", what,
			               (int)len, p);
	if (!text_is_utf8(p, len))
		return err_set(e, EVLOG_BAD_EVENT, "%s is no UTF-8", what);
	return 0;
}

int evlog_check_stream(const char *p, size_t len, struct err *e)
{
	if (evlog_check_name("stream name", p, len, e) < 0)
		return -1;
	if (p[0] == '-')
		return err_set(e, EVLOG_BAD_EVENT, "stream name '%.*s' begins with '-'", (int)len,
		               p);
	if (memchr(p, '/', len) != NULL || memchr(p, '*', len) != NULL)
		return err_set(e, EVLOG_BAD_EVENT, "stream name '%.*s' has a '/' or a '*'",
		               (int)len, p);
	return 0;
}
