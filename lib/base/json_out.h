/*
 * json_out: writes compact JSON into a buffer, one record a line.
 *
 *	buf_add_char(&b, '{');
 *	json_out_key(&b, "stream");
 *	json_out_string(&b, name, name_len);
 *	json_out_key(&b, "count");
 *	json_out_u64(&b, count);
 *	buf_add_str(&b, "}\n");
 *
 * Pure.  Nothing here fails in place: the buffer remembers that memory was short, see buf_ok().
 */
#ifndef SHOAL_BASE_JSON_OUT_H
#define SHOAL_BASE_JSON_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * "text", in quotes.  Escapes are the shortest there are, and only where RFC 8259 section 7 asks
 * for them: \" \\ \b \f \n \r \t, \u00xx for the other control characters.  Each byte that is no
 * part of valid UTF-8 becomes U+FFFD.
 */
void json_out_string(struct buf *b, const char *p, size_t len);

/*
 * "name": with a comma before it unless the buffer ends in '{' (or '[' or is empty).  The name is
 * written as it is: it is ours and needs no escapes.
 */
void json_out_key(struct buf *b, const char *name);

/* 42 */
void json_out_u64(struct buf *b, uint64_t v);

/* "42": numbers that may pass 2^53 travel as strings. */
void json_out_u64_string(struct buf *b, uint64_t v);

/* "00000000000000000042", the form of a sequence number: text order is number order. */
void json_out_seq(struct buf *b, uint64_t v);

#endif
