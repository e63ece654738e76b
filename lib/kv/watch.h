/*
 * watch: who waits for a change of which key, for lib/kv (the calls of users are in kv/kv.h).
 *
 * Pure.  Watches of the same thing are one group; the groups are an ordered map by kind and key.
 * The prefixes of a changed key that are watched are found by walking down from the key itself:
 * the greatest group at or before it either is a prefix of it or shows by how much to shorten it.
 * So an idle watch costs nothing, and a write costs a few look-ups.
 *
 * During an apply, changes are only noted; the watches are woken at its end, because a transaction
 * that fails has changed nothing.
 */
#ifndef SHOAL_KV_WATCH_H
#define SHOAL_KV_WATCH_H

#include "kv/state.h"

enum watch_change {
	CHANGE_KEY = 'k', /* the letters are the groups' */
	CHANGE_SESSION = 's',
};

void kv_watch_note(struct kv *kv, enum watch_change kind, struct span key);
/* Wake those whom the noted changes concern, and forget the changes. */
void kv_watch_wake(struct kv *kv, struct buf *due);
void kv_watch_wake_all(struct kv *kv, struct buf *due);
/* Free them unwoken. */
void kv_watch_free_all(struct kv *kv);

#endif
