#include "os/jq.h"

#include <errno.h>
#include <string.h>

#include "os/wait.h"

/* Twice what jq's stdio keeps back when its stdout is a pipe. */
#define FLUSH_LEN (8u << 10)

#define FIXED_WORDS 10 /* of the command line, beside those of the args */

static const char jq_missing[] = "jq is not installed (Debian: apt-get install jq)";

int jq_start(struct jq *j, const struct jq_spec *spec, struct err *e)
{
	char flush[FLUSH_LEN + 1];
	const char *words[FIXED_WORDS + 3 * JQ_ARGS_MAX] = {"jq",    "-n",    "-c",
	                                                    "--arg", "flush", flush};
	size_t n = 6;
	struct coproc_spec child = {.sig = spec->sig, .keep_stderr = true};

	*j = (struct jq){0};
	if (spec->arg_count > JQ_ARGS_MAX || strlen(spec->program) > JQ_PROGRAM_MAX)
		return err_set(e, E2BIG, "the jq program is longer than %u bytes", JQ_PROGRAM_MAX);
	memset(flush, ' ', FLUSH_LEN);
	flush[FLUSH_LEN] = '\0';
	for (size_t i = 0; i < spec->arg_count; i++) {
		words[n++] = "--argjson";
		words[n++] = spec->args[i].name;
		words[n++] = spec->args[i].json;
	}
	if (spec->dir != NULL) {
		words[n++] = "-L";
		words[n++] = spec->dir;
	}
	words[n++] = spec->program;
	words[n] = NULL;
	/* exec changes no string, its type is older than const */
	child.argv = (char *const *)(uintptr_t)words;
	if (coproc_start(&j->child, &child, e) == 0)
		return 0;
	return e->code == PROC_NOT_FOUND ? err_set(e, PROC_NOT_FOUND, "%s", jq_missing) : -1;
}

void jq_put(struct jq *j, const void *json, size_t n)
{
	coproc_send(&j->child, json, n);
	coproc_send(&j->child, "\n", 1);
}

void jq_end_input(struct jq *j)
{
	coproc_end_input(&j->child);
}

static bool is_flush(struct span line)
{
	return line.len == FLUSH_LEN + 2 && line.p[0] == '"' && line.p[1] == ' ' &&
	       memcmp(line.p + 1, line.p + 2, FLUSH_LEN - 1) == 0;
}

/* jq's own words, the first line of them: "jq: error: x is not defined at ..., line 1:" */
static void complain(const struct jq *j, struct err *e)
{
	static const char *const prefixes[] = {"jq: error: ", "jq: error ", "jq: "};
	const char *p = j->child.err.data;
	size_t n = j->child.err.len;
	const char *lf = n > 0 ? memchr(p, '\n', n) : NULL;

	if (lf != NULL)
		n = (size_t)(lf - p);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = strlen(prefixes[i]);

		if (n >= len && memcmp(p, prefixes[i], len) == 0) {
			p += len;
			n -= len;
			break;
		}
	}
	if (n > 0 && p[n - 1] == ':')
		n--;
	if (n > 0)
		err_set(e, EBADMSG, "jq: %.*s", (int)n, p);
	else if (j->child.proc.signal != 0)
		err_set(e, EBADMSG, "jq was ended by signal %d (%s)", j->child.proc.signal,
		        sig_name(j->child.proc.signal));
	else
		err_set(e, EBADMSG, "jq ended with status %d", j->child.proc.code);
}

enum coproc_result jq_line(struct jq *j, struct span *ret, int64_t deadline_ns, struct err *e)
{
	enum coproc_result r;

	do
		r = coproc_line(&j->child, JQ_LINE_MAX, ret, deadline_ns, e);
	while (r == COPROC_READY && is_flush(*ret));
	if (r != COPROC_END)
		return r;
	r = coproc_wait(&j->child, deadline_ns, e);
	if (r != COPROC_READY)
		return r;
	if (j->child.proc.code == 0)
		return COPROC_END;
	complain(j, e);
	return COPROC_FAILED;
}

void jq_done(struct jq *j)
{
	coproc_done(&j->child);
}
