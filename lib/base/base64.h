/*
 * base64: RFC 4648 section 4, the alphabet with + and /, always padded.
 *
 * Pure.  Decoding is strict, so that one text means one thing: whole groups of four, padding
 * where it is due, no whitespace, and the unused bits of the last digit are zero.
 */
#ifndef SHOAL_BASE_BASE64_H
#define SHOAL_BASE_BASE64_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* The length of n bytes when encoded. */
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Append; short memory shows in buf_ok(). */
void base64_encode(struct buf *out, const void *p, size_t len);

/*
 * Append the bytes of p[0..len).  Fails with EBADMSG ("column 7: ...") or ENOMEM; out then holds
 * what it held before.
 */
int base64_decode(struct buf *out, const char *p, size_t len, struct err *e);

#endif
