#include "base/hash.h"

#include <sodium.h>
#include <string.h>

/*
 * The tables of slicing by eight (Kounavis and Berry, "A systematic approach to building high
 * performance, software-based, CRC generators", 2005).  A CRC is linear: the entry of a byte is
 * the sum of the entries of its bits, so that each table is spelled out by eight numbers.
 */
#define BIT(n, bit, v) (((n) >> (bit)) % 2U * (v))
#define SUM(n, a, b, c, d, e, f, g, h)                                                             \
	(BIT(n, 0, a) ^ BIT(n, 1, b) ^ BIT(n, 2, c) ^ BIT(n, 3, d) ^ BIT(n, 4, e) ^ BIT(n, 5, f) ^ \
	 BIT(n, 6, g) ^ BIT(n, 7, h))
#define SUM4(n, ...)                                                               \
	SUM(n, __VA_ARGS__), SUM((n) + 1, __VA_ARGS__), SUM((n) + 2, __VA_ARGS__), \
	    SUM((n) + 3, __VA_ARGS__)
#define SUM16(n, ...)                                                                 \
	SUM4(n, __VA_ARGS__), SUM4((n) + 4, __VA_ARGS__), SUM4((n) + 8, __VA_ARGS__), \
	    SUM4((n) + 12, __VA_ARGS__)
#define SUM64(n, ...)                                                                      \
	SUM16(n, __VA_ARGS__), SUM16((n) + 16, __VA_ARGS__), SUM16((n) + 32, __VA_ARGS__), \
	    SUM16((n) + 48, __VA_ARGS__)
#define TABLE(...)                                                                      \
	{                                                                               \
		SUM64(0, __VA_ARGS__), SUM64(64, __VA_ARGS__), SUM64(128, __VA_ARGS__), \
		    SUM64(192, __VA_ARGS__)                                             \
	}

/* slices[k][b]: the CRC of the byte b followed by k zero bytes. */
static const uint32_t slices[8][256] = {
    TABLE(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc,
          0x82f63b78),
    TABLE(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604,
          0xfbc3faf9),
    TABLE(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9,
          0x8b277743),
    TABLE(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7,
          0x52a0c93f),
    TABLE(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae,
          0x6ea2d55c),
    TABLE(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb,
          0x1c08b7d6),
    TABLE(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a,
          0xf56e0ef4),
    TABLE(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32,
          0x34019664),
};

static uint32_t crc_byte(uint32_t crc, unsigned char byte)
{
	return crc >> 8 ^ slices[0][(crc ^ byte) & 0xff];
}

uint32_t crc32c_portable(uint32_t crc, const void *p, size_t len)
{
	const unsigned char *b = p;

	crc = ~crc;
	for (; len >= 8; len -= 8, b += 8) {
		crc ^= (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
		       (uint32_t)b[3] << 24;
		crc = slices[7][crc & 0xff] ^ slices[6][crc >> 8 & 0xff] ^
		      slices[5][crc >> 16 & 0xff] ^ slices[4][crc >> 24] ^ slices[3][b[4]] ^
		      slices[2][b[5]] ^ slices[1][b[6]] ^ slices[0][b[7]];
	}
	for (; len > 0; len--)
		crc = crc_byte(crc, *b++);
	return ~crc;
}

#ifdef __x86_64__
static __attribute__((target("sse4.2"))) uint32_t crc32c_sse42(uint32_t crc, const void *p,
                                                               size_t len)
{
	const unsigned char *b = p;
	uint64_t wide = ~crc;

	for (; len >= 8; len -= 8, b += 8) {
		uint64_t word;

		memcpy(&word, b, sizeof(word));
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; len > 0; len--)
		crc = __builtin_ia32_crc32qi(crc, *b++);
	return ~crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t len)
{
#ifdef __x86_64__
	/* One load and one test: libgcc asked the processor before main(). */
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_sse42(crc, p, len);
#endif
	return crc32c_portable(crc, p, len);
}

_Static_assert(HASH_SIP_KEY_LEN == crypto_shorthash_KEYBYTES, "SipHash keys have 16 bytes");
_Static_assert(HASH_BLAKE2B_LEN == crypto_generichash_BYTES, "BLAKE2b-256 has 32 bytes");
_Static_assert(sizeof(struct hash_blake2b) >= sizeof(crypto_generichash_state),
               "struct hash_blake2b holds libsodium's state");
_Static_assert(_Alignof(struct hash_blake2b) % _Alignof(crypto_generichash_state) == 0,
               "struct hash_blake2b is aligned for libsodium's state");

uint64_t hash_sip(const unsigned char key[HASH_SIP_KEY_LEN], const void *p, size_t len)
{
	unsigned char out[crypto_shorthash_BYTES];
	uint64_t v = 0;

	crypto_shorthash(out, p, len, key);
	for (int i = 7; i >= 0; i--)
		v = v << 8 | out[i];
	return v;
}

static crypto_generichash_state *state_of(struct hash_blake2b *h)
{
	return (crypto_generichash_state *)(void *)h;
}

void hash_blake2b_init(struct hash_blake2b *h)
{
	(void)crypto_generichash_init(state_of(h), NULL, 0, HASH_BLAKE2B_LEN);
}

void hash_blake2b_update(struct hash_blake2b *h, const void *p, size_t len)
{
	(void)crypto_generichash_update(state_of(h), p, len);
}

void hash_blake2b_final(struct hash_blake2b *h, unsigned char ret[HASH_BLAKE2B_LEN])
{
	(void)crypto_generichash_final(state_of(h), ret, HASH_BLAKE2B_LEN);
}

void hash_blake2b_256(const void *p, size_t len, unsigned char ret[HASH_BLAKE2B_LEN])
{
	(void)crypto_generichash(ret, HASH_BLAKE2B_LEN, p, len, NULL, 0);
}
