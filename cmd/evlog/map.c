/*
 * map: events through a jq program.
 *
 * One line comes back for each event, whatever the program does: an array of its outputs, or a
 * string with the error.  A number behind each batch comes back as it is, and proves that both
 * sides count alike.  Words of jq that would take events from us, or end it, are defined anew in
 * front of the program.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "project.h"

/* In one line, so that jq counts the program's own lines from 1. */
static const char head[] =
    "def _evlog: inputs; "
    "def input: error(\"input: the program gets one event at a time\"); "
    "def inputs: error(\"inputs: the program gets one event at a time\"); "
    "def halt: error(\"halt\"); def halt_error: error(.); def halt_error($n): error(.); "
    "def _evlog_p: ";
static const char tail[] = "\n;\n"
			   "_evlog | if type == \"number\" then ., $flush\n"
			   "else try [_evlog_p] catch if type == \"string\" then . "
			   "else tojson end end\n";

/* ---- What comes back. */

struct span mapped_outputs(const struct mapped *m, size_t i)
{
	return (struct span){m->text.data + m->events[i].at, m->events[i].len};
}

void mapped_blame(struct mapped *m, size_t i, const char *why)
{
	free(m->events[i].why);
	m->events[i].why = strdup(why);
	if (m->events[i].why == NULL)
		tool_dief(TOOL_OSERR, "out of memory");
}

void mapped_begin(struct mapped *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->events[i].why);
	m->count = 0;
	buf_clear(&m->text);
}

void mapped_done(struct mapped *m)
{
	mapped_begin(m);
	free(m->events);
	buf_done(&m->text);
	*m = (struct mapped){.count = 0};
}

static void add(struct mapped *m, uint64_t seq, struct span line)
{
	if (m->count == m->cap) {
		m->cap = m->cap == 0 ? 256 : 2 * m->cap;
		m->events = grow(m->events, m->cap, sizeof(*m->events));
	}
	m->events[m->count++] =
	    (struct mapped_event){.seq = seq, .at = m->text.len, .len = line.len};
	buf_add(&m->text, line.p, line.len);
}

/* The program's own error: a string of JSON. */
static void add_error(struct mapped *m, uint64_t seq, struct span line)
{
	struct buf why = {0};
	struct err e;

	add(m, seq, (struct span){"[]", 2});
	if (json_unescape(&why, line.p + 1, line.len - 2, &e) < 0)
		buf_clear(&why);
	buf_add_char(&why, '\0');
	if (buf_ok(&why, &e) < 0)
		fail(&e);
	mapped_blame(m, m->count - 1,
	             why.data[0] != '\0' ? why.data : "an error without a message");
	buf_done(&why);
}

/* ---- The program. */

void mapper_read(struct mapper *m, const char *file)
{
	unsigned char sum[HASH_BLAKE2B_LEN];
	struct buf hex = {0};
	struct span text;
	struct err e;

	m->file = file;
	program_read(&m->program, file);
	text = program_span(&m->program);
	hash_blake2b_256(text.p, text.len, sum);
	for (size_t i = 0; i < CURSOR_PROGRAM_LEN / 2; i++)
		buf_printf(&hex, "%02x", sum[i]);
	if (buf_ok(&hex, &e) < 0)
		fail(&e);
	memcpy(m->hash, hex.data, CURSOR_PROGRAM_LEN);
	buf_done(&hex);
	if (m->program.imports)
		tool_dief(TOOL_DATA,
		          "'%s': import and include are not possible in a projection: a change of "
		          "what they bring would not be seen",
		          file);
}

int mapper_start(struct mapper *m, const struct sig *sig, struct err *e)
{
	struct buf text = {0};
	struct jq_spec spec = {.sig = sig};
	int r;

	buf_add_str(&text, head);
	buf_add_str(&text, m->program.text.data);
	buf_add(&text, tail, sizeof(tail));
	spec.program = text.data;
	r = buf_ok(&text, e);
	if (r == 0)
		r = jq_start(&m->jq, &spec, e);
	buf_done(&text);
	m->running = r == 0;
	return r;
}

void mapper_done(struct mapper *m)
{
	if (m->running)
		jq_done(&m->jq);
	m->running = false;
	program_done(&m->program);
}

void mapper_put(struct mapper *m, const struct feed_batch *b)
{
	char number[24];
	int n = snprintf(number, sizeof(number), "%ju", (uintmax_t)++m->asked);

	coproc_send(&m->jq.child, b->text.data, b->text.len);
	jq_put(&m->jq, number, (size_t)n);
}

enum coproc_result mapper_take(struct mapper *m, const struct feed_batch *b, struct mapped *out,
                               bool *ret_whole, int64_t deadline_ns, struct err *e)
{
	struct span line;
	enum coproc_result r = jq_line(&m->jq, &line, deadline_ns, e);
	char first = r == COPROC_READY && line.len > 0 ? line.p[0] : '\0';

	*ret_whole = false;
	if (r == COPROC_END) {
		err_set(e, EBADMSG, "it ended before its events did");
		return COPROC_FAILED;
	}
	if (r != COPROC_READY)
		return r;
	if (out->count < b->count && first == '[') {
		add(out, b->events[out->count].seq, line);
	} else if (out->count < b->count && first == '"') {
		add_error(out, b->events[out->count].seq, line);
	} else if (out->count == b->count && first >= '0' && first <= '9') {
		*ret_whole = true;
	} else {
		err_set(e, EBADMSG, "it is out of step: '%.*s'", line.len < 40 ? (int)line.len : 40,
		        line.p);
		return COPROC_FAILED;
	}
	if (buf_ok(&out->text, e) < 0)
		return COPROC_FAILED;
	return COPROC_READY;
}
