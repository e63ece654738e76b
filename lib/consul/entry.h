/*
 * entry: what the store holds, as the JSON of Consul's HTTP API.
 *
 *	{"LockIndex":0,"Key":"zip","Flags":0,"Value":"dGVzdA==","CreateIndex":100,"ModifyIndex":200}
 *
 * Pure.  Compact, without a line end; Value is base64, and null when it is empty or not there.
 * Session is there while somebody holds the key.  Members that Consul does not have:
 *
 *	Fence       the raft index at which its last holder got it; not there if there was none
 *	KeyBase64   the key, when it is no UTF-8
 *
 * A key may be any bytes and a JSON string may not: each byte that is no part of valid UTF-8 is
 * U+FFFD in Key, as Go writes it, and the exact key is in KeyBase64.  A list of keys has no room
 * for a second form, so it can be had with all of its keys in base64.
 *
 * Nothing here fails in place: short memory shows in buf_ok().
 */
#ifndef SHOAL_CONSUL_ENTRY_H
#define SHOAL_CONSUL_ENTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"
#include "kv/kv.h"

/* Append an entry; with a comma before it unless the buffer is empty or ends in '[' or ':'. */
void consul_entry_put(struct buf *to, const struct kv_entry *entry);

/* Append "[...]" of all entries with that prefix, in the order of their bytes: how many. */
size_t consul_entries_put(struct buf *to, struct kv *kv, struct span prefix);

/*
 * Append "[...]" of the keys with that prefix, cut behind the first separator that follows it (an
 * empty one cuts nothing), each once: how many.
 */
size_t consul_keys_put(struct buf *to, struct kv *kv, struct span prefix, struct span separator,
                       bool base64);

/* Append compact JSON with line ends and four spaces for a level, as `?pretty` asks for. */
void consul_pretty_put(struct buf *to, struct span json);

#endif
