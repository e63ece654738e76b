/*
 * json: a strict, validating JSON scanner that copies nothing.
 *
 * json_scan() checks a whole text against RFC 8259 and notes where the top-level value and, when
 * it is an object, its members are.  Nothing is built: everything in struct json_doc points into
 * the input and is valid as long as the input is.  Stricter than the RFC, as I-JSON (RFC 7493)
 * asks: the text must be UTF-8 without surrogates and overlong forms, \u escapes of surrogates
 * must come in pairs, and two equal keys in one object, at any level, are an error ("a" and
 * "\u0061" are the same key).  \u0000 is allowed.  Numbers are checked by grammar only and kept
 * as typed: no digit is ever lost.
 *
 * Pure: no I/O, no clock, no globals.  No allocation, unless an object tree has more than about
 * a hundred keys open at once.  Time is n log n in the number of keys of one object.
 */
#ifndef SHOAL_BASE_JSON_H
#define SHOAL_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define JSON_MEMBERS_MAX 64 /* members of the top-level object that are noted one by one */
#define JSON_DEPTH_MAX   64 /* arrays and objects open at the same time */

enum json_type {
	JSON_NONE, /* no value: zeroed memory */
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

/* A value as it stands in the input: p[0..len), of a string with its quotes. */
struct json_value {
	const char *p;
	size_t len;
	enum json_type type;
	bool spaced;  /* there is insignificant whitespace inside */
	bool escaped; /* a string with a backslash in it */
};

struct json_member {
	const char *key; /* raw, as typed, without its quotes */
	size_t key_len;
	bool key_escaped;
	struct json_value value;
};

/*
 * What json_scan() found.  `members` counts all members of the top-level object; only the first
 * JSON_MEMBERS_MAX of them are in member[].  Entries behind them are not written.
 */
struct json_doc {
	struct json_value value;
	size_t members;
	struct json_member member[JSON_MEMBERS_MAX];
};

/*
 * Scan one JSON text; whitespace may stand before and after it, nothing else.  Fails with EBADMSG
 * ("column 17: expected ':', found '='": columns are bytes and start at 1) or ENOMEM, and *d is
 * then not to be used.
 */
int json_scan(const char *p, size_t len, struct json_doc *d, struct err *e);

/*
 * Append a value that json_scan() found, without insignificant whitespace; strings and numbers
 * stay as typed.  0, or -1 when memory is short, which buf_ok() then explains.
 */
int json_compact(struct buf *out, const struct json_value *v);

/*
 * Append the bytes that a string means: p[0..len) is what stands between the quotes (a key, or
 * a value's p + 1 and len - 2).  Fails with EBADMSG (a bad or unpaired escape, which json_scan()
 * would have refused) or ENOMEM; what was appended until then stays in out.
 */
int json_unescape(struct buf *out, const char *p, size_t len, struct err *e);

/* Is v a string that means s, whatever its escapes?  s is UTF-8. */
bool json_string_is(const struct json_value *v, const char *s);

/* Does the key of m mean s, whatever its escapes? */
bool json_key_is(const struct json_member *m, const char *s);

/* The same with ASCII letters in either case, as Go's decoders match keys; s is ASCII. */
bool json_key_folds_to(const struct json_member *m, const char *s);

/* The first noted member with that key, borrowed from d, or NULL. */
const struct json_value *json_find(const struct json_doc *d, const char *key);

/*
 * A whole number from a JSON number or from a string of digits ("7", 7, "00000000000000000007").
 * Fails with EINVAL (another type, a sign, a fraction, an exponent) or ERANGE.
 */
int json_get_u64(const struct json_value *v, uint64_t *ret, struct err *e);

/* Is it a JSON number, written without a fraction and an exponent, that *ret can hold? */
bool json_get_i64(const struct json_value *v, int64_t *ret);

#endif
