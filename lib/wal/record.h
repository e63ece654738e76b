/*
 * record: the bytes of a log's segments (raftd-format(5), version 1).
 *
 * Pure: no I/O and no clock.  A segment is a head of WAL_HEAD_LEN bytes, records one behind the
 * other, each at a multiple of 8 bytes, and zeros.  Numbers are little-endian.  A record:
 *
 *	off len  field
 *	  0   4  CRC32C of the bytes [4, 32), started from the log's salt
 *	  4   4  length, without the zeros that fill it up to a multiple of 8
 *	  8   4  the CRC at 0 of the record before, or that of the segment's head: the chain
 *	 12   4  CRC32C of the bytes [32, length), started from the salt
 *	 16   8  sequence: the number of the record in the log, dense; heads have one too
 *	 24   4  lag: sequence - 1 - the last sequence known durable when the record was made
 *	 28   1  type
 *	 29   1  version, 1
 *	 30   2  of an entry: its type and its version, else 0
 *	 32      ENTRY:    index 8, term 8, clock 8, data
 *	         HARD:     term 8, vote 8
 *	         TRUNCATE: index 8, term 8 of the entry that is now the last
 *	         RESET:    index 8, term 8 of the point behind which the log begins anew
 *	         BEGIN:    number 8 of the first segment that is needed; index 8, term 8 of the
 *	                   snapshot because of which the others are not
 *	         SEAL:     nothing; the next segment goes on
 *	         MARK:     nothing; it is there for its lag
 *
 * CRC and length lie in one aligned unit of 8 bytes, which no disk tears.  The CRC at 0 covers the
 * chain and the CRC of the rest, so each record can be validated alone and vouches for the ones
 * before it.  The fixed part has its own so that a search through damaged bytes costs the same
 * whatever lengths they claim.
 */
#ifndef SHOAL_WAL_RECORD_H
#define SHOAL_WAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "raft/entry.h"

#define WAL_FORMAT_VERSION 1u

#define WAL_HEAD_LEN       128u
#define WAL_RECORD_FIXED   32u
#define WAL_RECORD_ALIGN   8u
#define WAL_ENTRY_FIXED    (WAL_RECORD_FIXED + 24u)
#define WAL_RECORD_MAX     (WAL_ENTRY_FIXED + RAFT_ENTRY_MAX)
#define WAL_RECORD_VERSION 1u

enum wal_record_type {
	WAL_ENTRY = 1,
	WAL_HARD,
	WAL_TRUNCATE,
	WAL_RESET,
	WAL_BEGIN,
	WAL_SEAL,
	WAL_MARK
};

struct wal_record {
	uint8_t type;
	uint8_t version;
	uint32_t len;  /* without padding */
	uint32_t crc;  /* of the fixed part */
	uint32_t prev; /* the chain */
	uint64_t seq;
	uint64_t durable;        /* known durable when it was made; 0: nothing is known */
	struct raft_entry entry; /* ENTRY; the data is borrowed from the bytes */
	uint64_t term, vote;     /* HARD */
	struct raft_point point; /* TRUNCATE, RESET, BEGIN */
	uint64_t segment;        /* BEGIN */
};

/* What the next record of a log is bound to. */
struct wal_chain {
	uint32_t salt;
	uint32_t prev;
	uint64_t seq; /* of the next record */
};

enum wal_record_result {
	WAL_RECORD_OK,
	WAL_RECORD_BAD,    /* no record of this log begins here */
	WAL_RECORD_UNKNOWN /* a sound one, of a type or version that this code does not know */
};

/* How many bytes a record takes, with padding; uses type and entry.data.len. */
size_t wal_record_size(const struct wal_record *r);

/*
 * Append a record, and move the chain on.  Uses type, durable and the type's own fields, which keep
 * their limits (assert).  The chain moves on also where b is out of memory.
 */
void wal_record_put(struct buf *b, struct wal_chain *chain, const struct wal_record *r);

/*
 * Read the record that begins at p[0], with at most n bytes there.  Only `type` to `durable` are
 * set of an unknown one.  Whether it is the next one is the caller's to see: prev and seq.
 */
enum wal_record_result wal_record_get(const char *p, size_t n, uint32_t salt, struct wal_record *r);

/* As wal_record_get(), but only the fixed part is checked and read. */
bool wal_record_peek(const char *p, size_t n, uint32_t salt, struct wal_record *r);

/* Where the record behind this one begins, from the beginning of this one. */
static inline size_t wal_record_step(const struct wal_record *r)
{
	return (r->len + (size_t)WAL_RECORD_ALIGN - 1) & ~((size_t)WAL_RECORD_ALIGN - 1);
}

/*
 * The head of a segment is the first record of its chain, in a form of its own, so that a segment
 * tells whose it is, and so that the ones before it can go: it has a copy of the state.
 *
 *	  0   8  "shoalwal"          56   8  number of the segment
 *	  8   4  version             64   8  number of the first segment that is needed
 *	 12   4  CRC32C of [0, 12)   72   8  term, of the hard state
 *	 16   4  CRC32C of [20, 128) 80   8  vote
 *	 20   4  the chain           88   8  index of the log's last entry
 *	 24   8  sequence            96   8  its term
 *	 32   8  known durable      104   8  index of the last snapshot
 *	 40   8  cluster            112   8  its term
 *	 48   8  node               120   4  the log's salt
 *	                            124   4  0
 *
 * The first 16 bytes are the same in every version.
 */
struct wal_head {
	uint32_t crc; /* for the chain; set by both functions */
	uint32_t prev;
	uint32_t salt;
	uint64_t seq;
	uint64_t durable;
	uint64_t cluster;
	uint64_t node;
	uint64_t segment;
	uint64_t first;
	uint64_t term, vote;
	struct raft_point last;
	struct raft_point snapshot;
};

enum wal_head_result {
	WAL_HEAD_OK,
	WAL_HEAD_BAD,
	WAL_HEAD_NEWER /* a sound beginning, with another version */
};

void wal_head_put(char p[WAL_HEAD_LEN], struct wal_head *h);
enum wal_head_result wal_head_get(const char *p, size_t n, struct wal_head *h);

#endif
