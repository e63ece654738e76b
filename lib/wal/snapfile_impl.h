/*
 * snapfile_impl: the bytes of a snapshot's file (raftd-format(5), version 1), for lib/wal alone.
 *
 *	off len  field
 *	  0   8  "shoalsnp"            32   8  index
 *	  8   4  version               40   8  term
 *	 12   4  CRC32C of [0, 12)     48   8  clock
 *	 16   4  CRC32C of [20, 4096)  56   8  size of the stream
 *	 20   4  length of conf        64  32  BLAKE2b-256 of the stream; of a part that is being
 *	 24   8  cluster                       received 8 bytes, then zeros
 *	                              128      conf, zeros
 *	4096      blocks: SNAPFILE_BLOCK bytes, the last one what is left, each with its CRC32C
 *behind it, started from that of index, term and number (8 bytes each, from 0)
 */
#ifndef SHOAL_WAL_SNAPFILE_IMPL_H
#define SHOAL_WAL_SNAPFILE_IMPL_H

#include "wal/snapfile.h"

#define SNAPFILE_HEAD 4096u
#define SNAPFILE_STEP (SNAPFILE_BLOCK + 4)

#define SNAPFILE_NAME_MAX 48 /* "0000000000000001-0000000000000001.snap" */

#define SNAPFILE_END ".snap" /* committed */
#define SNAPFILE_OWN ".tmp"  /* of this node's own state, under way */
#define SNAPFILE_GOT ".part" /* being received */

void snapfile_name(char name[SNAPFILE_NAME_MAX], struct raft_point at, const char *end);
bool snapfile_parse_name(const char *name, const char *end, struct raft_point *ret);

uint64_t snapfile_sum(const unsigned char hash[HASH_BLAKE2B_LEN]);

void snapfile_put_head(char head[SNAPFILE_HEAD], const struct snapfile_place *place,
                       const struct snapfile_meta *m);
/* conf then points into head.  EBADMSG, EPROTONOSUPPORT, EXDEV. */
int snapfile_get_head(const char head[SNAPFILE_HEAD], const struct snapfile_place *place,
                      struct snapfile_meta *ret, struct err *e);

/* The CRC of n bytes that are block `number` of a snapshot. */
uint32_t snapfile_crc(struct raft_point at, uint64_t number, const char *p, size_t n);

/* The length of the file of a stream. */
uint64_t snapfile_length(uint64_t size);

/* How many bytes of a stream of this size block `number` has. */
size_t snapfile_block_len(uint64_t size, uint64_t number);

#endif
