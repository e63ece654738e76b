/*
 * kv_run: a kv with its own log, for tests: each call encodes a command, applies it at the next
 * index, checks the invariants and gives the code of the result.
 *
 * Keys, values and sessions are short texts: session 's' has the id of sixteen bytes 's'; '\0' is
 * none.  What a command needs beyond that is written as a struct kv_command.
 */
#ifndef SHOAL_TESTS_LIB_KV_RUN_H
#define SHOAL_TESTS_LIB_KV_RUN_H

#include <stdint.h>

#include "kv/kv.h"

struct kv_run {
	struct kv *kv;
	struct kv_output out;
	uint64_t index, clock_ns;
	struct kv_result result; /* of the last command; borrowed from out */
	bool unchecked;          /* without kv_check(), which is slow when there is much */
};

void kv_run_begin(struct kv_run *r);
void kv_run_end(struct kv_run *r);

/* Bytes of a command; to be freed with buf_done(). */
struct buf kv_run_encode(const struct kv_command *c);
/* Apply at index + 1 and the clock as it is; fails the test when the node would have to stop. */
uint8_t kv_run_bytes(struct kv_run *r, struct span command);
uint8_t kv_run_command(struct kv_run *r, const struct kv_command *c);
/* One operation. */
uint8_t kv_run_op(struct kv_run *r, const struct kv_op *op);

uint8_t kv_run_set(struct kv_run *r, const char *key, const char *value);
uint8_t kv_run_cas(struct kv_run *r, const char *key, const char *value, uint64_t index);
uint8_t kv_run_delete(struct kv_run *r, const char *key);
uint8_t kv_run_delete_tree(struct kv_run *r, const char *prefix);
uint8_t kv_run_lock(struct kv_run *r, const char *key, const char *value, char session);
uint8_t kv_run_unlock(struct kv_run *r, const char *key, const char *value, char session);
/* behavior release, no name. */
uint8_t kv_run_session(struct kv_run *r, char session, uint64_t ttl_ns, uint64_t lock_delay_ns);
uint8_t kv_run_destroy(struct kv_run *r, char session);
uint8_t kv_run_renew(struct kv_run *r, char session);
/* Only the clock, which goes on by so much. */
void kv_run_tick(struct kv_run *r, uint64_t ns);

/* Is a cookie among those that the last apply reported? */
bool kv_run_woke(const struct kv_run *r, uint64_t cookie);

/* The entry; fails the test when it is not there. */
struct kv_entry kv_run_get(const struct kv_run *r, const char *key);
bool kv_run_has(const struct kv_run *r, const char *key);
/* All of the snapshot, read in pieces of that size; to be freed with buf_done(). */
struct buf kv_run_snapshot(struct kv *kv, size_t piece);

static inline struct span text_span(const char *s)
{
	return (struct span){s, __builtin_strlen(s)};
}

#endif
