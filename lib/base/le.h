/*
 * le: numbers as little-endian bytes, for formats on disk and on the wire.
 *
 * Pure.  Any alignment; the caller has checked that the bytes are there.
 */
#ifndef SHOAL_BASE_LE_H
#define SHOAL_BASE_LE_H

#include <stdint.h>

static inline void le_put16(void *to, uint16_t v)
{
	unsigned char *p = to;

	p[0] = (unsigned char)v;
	p[1] = (unsigned char)(v >> 8);
}

static inline void le_put32(void *to, uint32_t v)
{
	le_put16(to, (uint16_t)v);
	le_put16((unsigned char *)to + 2, (uint16_t)(v >> 16));
}

static inline void le_put64(void *to, uint64_t v)
{
	le_put32(to, (uint32_t)v);
	le_put32((unsigned char *)to + 4, (uint32_t)(v >> 32));
}

static inline uint16_t le_get16(const void *from)
{
	const unsigned char *p = from;

	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t le_get32(const void *from)
{
	return le_get16(from) | (uint32_t)le_get16((const unsigned char *)from + 2) << 16;
}

static inline uint64_t le_get64(const void *from)
{
	return le_get32(from) | (uint64_t)le_get32((const unsigned char *)from + 4) << 32;
}

#endif
