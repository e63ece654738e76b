#include "chart.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static struct chart_line *next_line(struct chart *c, uint64_t at)
{
	struct chart_line *l;

	if (c->lines == NULL)
		c->lines = calloc(CHART_LINES, sizeof(*c->lines));
	if (c->lines == NULL)
		abort();
	l = &c->lines[c->count++ % CHART_LINES];
	l->at = at;
	return l;
}

static void print_message(const struct chart_line *l, FILE *f)
{
	const struct chart_message *m = &l->m;

	fprintf(f, "%s %s t%" PRIu64, l->sent ? "send" : "get ",
	        raft_message_name((enum raft_message_type)m->type), m->term);
	if (m->prev_index != 0 || m->type == RAFT_APPEND)
		fprintf(f, " at %" PRIu64 ".%" PRIu64, m->prev_index, m->prev_term);
	if (m->count > 0)
		fprintf(f, " entries %u", m->count);
	if (m->commit != 0)
		fprintf(f, " commit %" PRIu64, m->commit);
	if (m->context != 0)
		fprintf(f, " ctx %" PRIu64, m->context);
	if (m->type == RAFT_SNAPSHOT || m->type == RAFT_SNAPSHOT_REPLY)
		fprintf(f, " offset %" PRIu64, m->offset);
	if (m->forced)
		fputs(" forced", f);
	switch (m->type) {
	case RAFT_PREVOTE_REPLY:
	case RAFT_VOTE_REPLY:
	case RAFT_APPEND_REPLY:
	case RAFT_SNAPSHOT_REPLY:
	case RAFT_READ_REPLY:
		fputs(m->granted ? " yes" : " no", f);
		break;
	default:
		break;
	}
}

static void print_line(const struct chart_line *l, FILE *f)
{
	fprintf(f, "%4" PRIu64 ".%06" PRIu64 " ", l->at / 1000000000, l->at / 1000 % 1000000);
	if (l->to == 0) {
		fprintf(f, "[%" PRIu64 "] %s\n", l->from, l->text);
		return;
	}
	if (l->sent)
		fprintf(f, "[%" PRIu64 "] -> %" PRIu64 "  ", l->from, l->to);
	else
		fprintf(f, "[%" PRIu64 "] <- %" PRIu64 "  ", l->to, l->from);
	print_message(l, f);
	fputc('\n', f);
}

void chart_message(struct chart *c, uint64_t at, const struct raft_message *m, bool sent)
{
	struct chart_line *l = next_line(c, at);

	l->from = m->from;
	l->to = m->to;
	l->sent = sent;
	l->m = (struct chart_message){.type = (uint8_t)m->type,
	                              .granted = m->granted,
	                              .forced = m->forced,
	                              .count = (uint16_t)m->count,
	                              .term = m->term,
	                              .prev_index = m->prev.index,
	                              .prev_term = m->prev.term,
	                              .commit = m->commit,
	                              .context = m->context,
	                              .offset = m->offset};
	if (c->follow != NULL)
		print_line(l, c->follow);
}

void chart_note(struct chart *c, uint64_t at, uint64_t node, const char *fmt, ...)
{
	struct chart_line *l = next_line(c, at);
	va_list ap;

	l->from = node;
	l->to = 0;
	va_start(ap, fmt);
	vsnprintf(l->text, sizeof(l->text), fmt, ap);
	va_end(ap);
	if (c->follow != NULL)
		print_line(l, c->follow);
}

void chart_print(const struct chart *c, FILE *f)
{
	uint64_t n = c->count < CHART_LINES ? c->count : CHART_LINES;

	if (c->last != 0 && n > c->last)
		n = c->last;
	for (uint64_t i = c->count - n; i < c->count; i++)
		print_line(&c->lines[i % CHART_LINES], f);
}

void chart_done(struct chart *c)
{
	free(c->lines);
	c->lines = NULL;
	c->count = 0;
}
