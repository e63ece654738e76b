/*
 * snapformat: the bytes of a snapshot's file, and its name.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/le.h"
#include "base/text.h"
#include "wal/snapfile_impl.h"

#define MAGIC   "shoalsnp"
#define VERSION 1u

/* Columns, as the table in snapfile_impl.h. */
enum {
	AT_VERSION = 8,
	AT_MAGIC_CRC = 12,
	AT_CRC = 16,
	AT_CONF_LEN = 20,
	AT_CLUSTER = 24,
	AT_INDEX = 32,
	AT_TERM = 40,
	AT_CLOCK = 48,
	AT_SIZE = 56,
	AT_HASH = 64,
	AT_CONF = 128
};

_Static_assert(AT_CONF + SNAPFILE_CONF_MAX == SNAPFILE_HEAD, "conf fills the head");

void snapfile_name(char name[SNAPFILE_NAME_MAX], struct raft_point at, const char *end)
{
	text_put_hex(name, at.index, 16);
	name[16] = '-';
	text_put_hex(name + 17, at.term, 16);
	memcpy(name + 33, end, strlen(end) + 1);
}

bool snapfile_parse_name(const char *name, const char *end, struct raft_point *ret)
{
	return strlen(name) == 33 + strlen(end) && strcmp(name + 33, end) == 0 && name[16] == '-' &&
	       text_get_hex(name, 16, &ret->index) == 0 &&
	       text_get_hex(name + 17, 16, &ret->term) == 0 && ret->index > 0;
}

uint64_t snapfile_sum(const unsigned char hash[HASH_BLAKE2B_LEN])
{
	return le_get64(hash);
}

void snapfile_put_head(char head[SNAPFILE_HEAD], const struct snapfile_place *place,
                       const struct snapfile_meta *m)
{
	assert(m->conf.len <= SNAPFILE_CONF_MAX);
	memset(head, 0, SNAPFILE_HEAD);
	memcpy(head, MAGIC, 8);
	le_put32(head + AT_VERSION, VERSION);
	le_put32(head + AT_MAGIC_CRC, crc32c(0, head, AT_MAGIC_CRC));
	le_put32(head + AT_CONF_LEN, (uint32_t)m->conf.len);
	le_put64(head + AT_CLUSTER, place->cluster);
	le_put64(head + AT_INDEX, m->at.index);
	le_put64(head + AT_TERM, m->at.term);
	le_put64(head + AT_CLOCK, m->clock_ns);
	le_put64(head + AT_SIZE, m->size);
	memcpy(head + AT_HASH, m->hash, HASH_BLAKE2B_LEN);
	if (m->conf.len > 0)
		memcpy(head + AT_CONF, m->conf.p, m->conf.len);
	le_put32(head + AT_CRC, crc32c(0, head + AT_CONF_LEN, SNAPFILE_HEAD - AT_CONF_LEN));
}

int snapfile_get_head(const char head[SNAPFILE_HEAD], const struct snapfile_place *place,
                      struct snapfile_meta *ret, struct err *e)
{
	if (memcmp(head, MAGIC, 8) != 0 ||
	    le_get32(head + AT_MAGIC_CRC) != crc32c(0, head, AT_MAGIC_CRC))
		return err_set(e, EBADMSG, "it does not begin as a snapshot");
	if (le_get32(head + AT_VERSION) != VERSION)
		return err_set(e, EPROTONOSUPPORT, "it is in a newer format");
	if (le_get32(head + AT_CRC) != crc32c(0, head + AT_CONF_LEN, SNAPFILE_HEAD - AT_CONF_LEN))
		return err_set(e, EBADMSG, "its head is damaged");
	*ret = (struct snapfile_meta){
	    .at = {le_get64(head + AT_INDEX), le_get64(head + AT_TERM)},
	    .clock_ns = le_get64(head + AT_CLOCK),
	    .size = le_get64(head + AT_SIZE),
	    .conf = {head + AT_CONF, le_get32(head + AT_CONF_LEN)},
	};
	memcpy(ret->hash, head + AT_HASH, HASH_BLAKE2B_LEN);
	ret->sum = snapfile_sum(ret->hash);
	if (ret->conf.len > SNAPFILE_CONF_MAX || ret->size > SNAPFILE_SIZE_MAX)
		return err_set(e, EBADMSG, "its head is out of bounds");
	if (le_get64(head + AT_CLUSTER) != place->cluster)
		return err_set(e, EXDEV, "it is of cluster %016llx; this is cluster %016llx",
		               (unsigned long long)le_get64(head + AT_CLUSTER),
		               (unsigned long long)place->cluster);
	return 0;
}

uint32_t snapfile_crc(struct raft_point at, uint64_t number, const char *p, size_t n)
{
	char seed[24];

	le_put64(seed, at.index);
	le_put64(seed + 8, at.term);
	le_put64(seed + 16, number);
	return crc32c(crc32c(0, seed, sizeof(seed)), p, n);
}

uint64_t snapfile_length(uint64_t size)
{
	uint64_t rest = size % SNAPFILE_BLOCK;

	return SNAPFILE_HEAD + size / SNAPFILE_BLOCK * SNAPFILE_STEP + (rest > 0 ? rest + 4 : 0);
}

size_t snapfile_block_len(uint64_t size, uint64_t number)
{
	uint64_t left = size - number * SNAPFILE_BLOCK;

	return left < SNAPFILE_BLOCK ? (size_t)left : SNAPFILE_BLOCK;
}
