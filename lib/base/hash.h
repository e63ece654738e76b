/*
 * hash: checksums and hashes.
 *
 *	crc32c       finds accidents: torn and rotten frames (RFC 3720 appendix B.4, Castagnoli)
 *	sip          keyed, for tables of names that somebody else chose (SipHash-2-4)
 *	blake2b-256  names and chains whole files (RFC 7693)
 *
 * Pure: no I/O, no clock, no globals.  SipHash and BLAKE2b are libsodium's; sodium.h is included
 * in hash.c only.  libsodium picks its fastest BLAKE2b in sodium_init(); without that call (it
 * belongs to lib/os/rand) the results are the same, from the portable code.
 */
#ifndef SHOAL_BASE_HASH_H
#define SHOAL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_SIP_KEY_LEN 16
#define HASH_BLAKE2B_LEN 32

/*
 * CRC-32C of p[0..len) going on from crc, which is 0 at the start: crc32c(0, "123456789", 9) is
 * 0xe3069283, and crc32c(crc32c(0, a), b) is crc32c(0, a followed by b).  SSE4.2 where the
 * processor has it, else tables; both give the same.
 */
uint32_t crc32c(uint32_t crc, const void *p, size_t len);

/* The table code of crc32c(), so that tests reach it on every machine. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t len);

/* SipHash-2-4; the eight bytes of the result read as a little-endian number. */
uint64_t hash_sip(const unsigned char key[HASH_SIP_KEY_LEN], const void *p, size_t len);

/* A BLAKE2b under way.  May be copied as a struct: the copy goes on from the same point. */
struct hash_blake2b {
	_Alignas(64) unsigned char opaque[384];
};

void hash_blake2b_init(struct hash_blake2b *h);
void hash_blake2b_update(struct hash_blake2b *h, const void *p, size_t len);
/* Ends it; h needs hash_blake2b_init() before it is used again. */
void hash_blake2b_final(struct hash_blake2b *h, unsigned char ret[HASH_BLAKE2B_LEN]);

/* All three in one call. */
void hash_blake2b_256(const void *p, size_t len, unsigned char ret[HASH_BLAKE2B_LEN]);

#endif
