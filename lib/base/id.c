#include "base/id.h"

#include <errno.h>
#include <string.h>

/* Where the two digits of each byte stand in 8-4-4-4-12. */
static const unsigned char uuid_at[ID_LEN] = {0,  2,  4,  6,  9,  11, 14, 16,
                                              19, 21, 24, 26, 28, 30, 32, 34};

static void put_byte(char *to, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";

	to[0] = digits[byte >> 4];
	to[1] = digits[byte & 15];
}

void id_put_hex(char to[ID_HEX_LEN], const unsigned char id[ID_LEN])
{
	for (int i = 0; i < ID_LEN; i++)
		put_byte(to + i + i, id[i]);
}

void id_put_uuid(char to[ID_UUID_LEN], const unsigned char id[ID_LEN])
{
	for (int i = 0; i < ID_LEN; i++)
		put_byte(to + uuid_at[i], id[i]);
	to[8] = to[13] = to[18] = to[23] = '-';
}

static void set_version(unsigned char id[ID_LEN], unsigned version)
{
	id[6] = (unsigned char)(version << 4 | (id[6] & 0x0f));
	id[8] = (unsigned char)(0x80 | (id[8] & 0x3f)); /* variant 10 */
}

void id_uuid7(char to[ID_UUID_LEN], uint64_t unix_ms, const unsigned char random[10])
{
	unsigned char id[ID_LEN];

	for (int i = 0; i < 6; i++)
		id[i] = (unsigned char)(unix_ms >> (40 - 8 * i));
	memcpy(id + 6, random, 10);
	set_version(id, 7);
	id_put_uuid(to, id);
}

void id_make_uuid4(unsigned char id[ID_LEN])
{
	set_version(id, 4);
}

/* The value of a hex digit, or -1. */
static int digit_of(char c)
{
	char lower = (char)(c | 0x20);

	if (c >= '0' && c <= '9')
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool get_byte(const char *p, unsigned char *ret)
{
	int high = digit_of(p[0]);
	int low = digit_of(p[1]);

	*ret = (unsigned char)(((unsigned)high << 4 | (unsigned)low) & 0xff);
	return high >= 0 && low >= 0;
}

/* p[0..len) to bytes, false when it is neither form. */
static bool get_id(const char *p, size_t len, unsigned char ret[ID_LEN])
{
	bool hyphens = len == ID_UUID_LEN;

	if (!hyphens && len != ID_HEX_LEN)
		return false;
	for (int i = 0; i < ID_LEN; i++)
		if (!get_byte(p + (hyphens ? uuid_at[i] : 2 * i), &ret[i]))
			return false;
	return !hyphens || (p[8] == '-' && p[13] == '-' && p[18] == '-' && p[23] == '-');
}

bool id_is_uuid(const char *p, size_t len)
{
	unsigned char id[ID_LEN];

	return len == ID_UUID_LEN && get_id(p, len, id);
}

int id_parse(const char *p, size_t len, unsigned char ret[ID_LEN], struct err *e)
{
	unsigned char id[ID_LEN];

	if (!get_id(p, len, id))
		return err_set(e, EINVAL, "'%.*s' is not a UUID", len < 80 ? (int)len : 80, p);
	memcpy(ret, id, ID_LEN);
	return 0;
}
