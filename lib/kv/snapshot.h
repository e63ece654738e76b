/*
 * snapshot: the replicated state as bytes, for lib/kv (the calls of users are in kv/kv.h).
 *
 * Pure.  Little-endian.  The same state is the same bytes on every node: tables and their keys are
 * in order, and nothing of a node is in it.
 *
 *	"shoal kv", u32 version
 *	u64 applied index, clock, table index, sessions index, floor
 *	for each replicated table (kv/state.h), in their order: u64 count, records
 *	u64 kv_hash() of it, u32 CRC-32C of all bytes before
 *
 *	a record: u8 bits (1 lock part), u16 length of the key, u32 of the value, u64 create,
 *	          u64 modify; lock part: u64 flags, lock, fence, session[16]; the key, the value
 */
#ifndef SHOAL_KV_SNAPSHOT_H
#define SHOAL_KV_SNAPSHOT_H

#include "kv/state.h"

#define KV_SNAPSHOT_VERSION   1
#define KV_SNAPSHOT_MAGIC     "shoal kv"
#define KV_SNAPSHOT_HEAD_LEN  52
#define KV_SNAPSHOT_COUNT_LEN 8
#define KV_SNAPSHOT_ITEM_LEN  23
#define KV_SNAPSHOT_LOCK_LEN  40
#define KV_SNAPSHOT_TAIL_LEN  12

#endif
