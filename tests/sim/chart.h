/*
 * chart: the last things that happened, to be printed when an invariant does not hold.
 *
 * What is noted is a few numbers; it becomes text when it is printed.
 */
#ifndef SHOAL_SIM_CHART_H
#define SHOAL_SIM_CHART_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "raft/message.h"

#define CHART_LINES 2048
#define CHART_TEXT  88

struct chart_line {
	uint64_t at;
	uint64_t from, to; /* ids of nodes; to 0: a note about from */
	bool sent;         /* else received */
	struct chart_message {
		uint8_t type;
		bool granted, forced;
		uint16_t count;
		uint64_t term, prev_index, prev_term, commit, context, offset;
	} m;
	char text[CHART_TEXT]; /* a note */
};

struct chart {
	struct chart_line *lines;
	uint64_t count; /* of all that came */
	FILE *follow;   /* print each line at once; or NULL */
	uint64_t last;  /* print so many at the end */
};

void chart_message(struct chart *c, uint64_t at, const struct raft_message *m, bool sent);
void chart_note(struct chart *c, uint64_t at, uint64_t node, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void chart_print(const struct chart *c, FILE *f);
void chart_done(struct chart *c);

#endif
