/*
 * cursor_slot: a saved state of a cursor as a line of text (evlog-format(5)), for cursor.c.
 *
 * Pure.  The line has CURSOR_SLOT bytes, padded with spaces, LF included; its CRC is started from
 * the store's salt, so that a cursor of another store is none here.
 */
#ifndef SHOAL_EVLOG_CURSOR_SLOT_H
#define SHOAL_EVLOG_CURSOR_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CURSOR_SELECTOR_MAX 255
#define CURSOR_PROGRAM_LEN  32
#define CURSOR_SLOT         512u
#define CURSOR_FILE         ((size_t)2 * CURSOR_SLOT)

struct cursor_state {
	uint64_t sequence;                      /* the last one that is done */
	uint64_t save;                          /* counts saves */
	int64_t time_ns;                        /* of the last save, in whole microseconds */
	uint64_t event_ns;                      /* when that event was recorded; 0: not known */
	uint32_t tries;                         /* of what comes next, that have failed */
	char selector[CURSOR_SELECTOR_MAX + 1]; /* "order-*", "--all"; "-": none yet */
	/* BLAKE2b-128 of a projection's program in hex, or "-". */
	char program[CURSOR_PROGRAM_LEN + 1];
};

/* selector and program are words without spaces and control characters, not empty. */
void cursor_slot_put(char to[CURSOR_SLOT], const struct cursor_state *state, uint32_t salt);

/* A whole file of one state; the other slot is blank. */
void cursor_file_put(char to[CURSOR_FILE], const struct cursor_state *state, uint32_t salt);

/* False: no sound slot. */
bool cursor_slot_get(const char from[CURSOR_SLOT], uint32_t salt, struct cursor_state *ret);

#endif
