/* cursor_name: what cursors are called, and which member of a group a stream belongs to. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "evlog/cursor.h"

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

int cursor_check_name(const char *name, struct err *e)
{
	size_t len = strlen(name);
	bool good = len > 0 && len <= CURSOR_NAME_MAX && name[0] != '.' && name[0] != '-';

	for (size_t i = 0; good && i < len; i++)
		good = is_name_char(name[i]);
	if (!good)
		return err_set(e, EINVAL,
		               "'%s' is no name for a cursor: 1 to %d letters, digits, '.', '_' "
		               "and '-', the first of them no '.' and no '-'",
		               name, CURSOR_NAME_MAX);
	return 0;
}

/* "K-N" */
static int parse_member(const char *text, struct cursor_id *ret, struct err *e)
{
	const char *dash = strchr(text, '-');
	uint64_t k;
	uint64_t n;

	if (dash == NULL || text[0] == '0' || dash[1] == '0' ||
	    num_u64(dash + 1, 1, CURSOR_GROUP_MAX, &n, e) < 0 ||
	    num_u64_len(text, (size_t)(dash - text), 1, n, &k, e) < 0)
		return err_set(e, EINVAL, "'%s' is no member K-N of a group, 1 <= K <= N <= %u",
		               text, CURSOR_GROUP_MAX);
	ret->member = (uint32_t)k;
	ret->members = (uint32_t)n;
	return 0;
}

int cursor_parse_id(const char *text, char name[CURSOR_NAME_MAX + 1], struct cursor_id *ret,
                    struct err *e)
{
	const char *at = strchrnul(text, '@');
	size_t len = (size_t)(at - text);

	if (len > CURSOR_NAME_MAX)
		return cursor_check_name(text, e);
	memcpy(name, text, len);
	name[len] = '\0';
	*ret = (struct cursor_id){.name = name};
	if (cursor_check_name(name, e) < 0)
		return -1;
	return *at == '\0' ? 0 : parse_member(at + 1, ret, e);
}

void cursor_id_text(char to[CURSOR_TEXT_MAX], const struct cursor_id *id)
{
	if (id->members == 0)
		snprintf(to, CURSOR_TEXT_MAX, "%s", id->name);
	else
		snprintf(to, CURSOR_TEXT_MAX, "%s@%u-%u", id->name, id->member, id->members);
}

uint32_t cursor_member_of(const char *stream, size_t len, uint32_t members)
{
	static const unsigned char zeros[HASH_SIP_KEY_LEN];

	return (uint32_t)(hash_sip(zeros, stream, len) % members) + 1;
}
