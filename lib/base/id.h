/*
 * id: UUIDs as text.
 *
 * Pure: the time and the random bytes are arguments.  The texts are not terminated by a NUL.
 * Made in lower case, read in either (RFC 9562 section 4).
 */
#ifndef SHOAL_BASE_ID_H
#define SHOAL_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

#define ID_LEN      16 /* bytes of a UUID */
#define ID_HEX_LEN  32 /* its digits alone */
#define ID_UUID_LEN 36 /* its digits with hyphens: 8-4-4-4-12 */

/*
 * A UUID of version 7 (RFC 9562 section 5.7): 48 bits of unix_ms, then 74 of the 80 random bits.
 * Ids of different milliseconds sort by time, as bytes and as text; within one they do not.
 */
void id_uuid7(char to[ID_UUID_LEN], uint64_t unix_ms, const unsigned char random[10]);

/* 16 random bytes become a UUID of version 4 (section 5.4). */
void id_make_uuid4(unsigned char id[ID_LEN]);

/* Is this 8-4-4-4-12 hex digits?  Version and variant may be any. */
bool id_is_uuid(const char *p, size_t len);

/* 32 hex digits, or 36 characters with hyphens, to bytes.  Fails with EINVAL. */
int id_parse(const char *p, size_t len, unsigned char ret[ID_LEN], struct err *e);

/* Are all bytes zero?  No UUID that was drawn is. */
static inline bool id_is_zero(const unsigned char id[ID_LEN])
{
	static const unsigned char zero[ID_LEN];

	return memcmp(id, zero, ID_LEN) == 0;
}

void id_put_hex(char to[ID_HEX_LEN], const unsigned char id[ID_LEN]);
void id_put_uuid(char to[ID_UUID_LEN], const unsigned char id[ID_LEN]);

#endif
