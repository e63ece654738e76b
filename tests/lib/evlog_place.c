#include "evlog_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tmp_dir.h"

struct evlog_place evlog_place_new(uint64_t segment_size)
{
	struct evlog_place p = {.dir = tmp_dir_new()};

	if (check_create(p.dir, segment_size, NULL, &p.e) < 0)
		fail_msg("%s", p.e.msg);
	p.s = check_open(p.dir, NULL, &p.e);
	if (p.s == NULL)
		fail_msg("%s", p.e.msg);
	return p;
}

void evlog_place_end(struct evlog_place *p)
{
	if (evlog_check_store(p->s, &p->acks, CHECK_ALL, &p->e) < 0)
		fail_msg("%s", p->e.msg);
	evlog_close(p->s);
	acks_done(&p->acks);
	tmp_dir_free(p->dir);
}

const char *evlog_place_versions(struct evlog_place *p, const char *stream, uint32_t from,
                                 uint32_t to)
{
	static char text[4096];
	struct seqs seqs = {0};
	struct frame f;

	text[0] = '\0';
	if (evlog_gather(p->s, span_str(stream), from, to, evlog_durable(p->s), &seqs, &p->e) < 0)
		fail_msg("%s", p->e.msg);
	for (size_t i = 0; i < seqs.len; i++) {
		assert_int_equal(evlog_get(p->s, seqs.v[i], &f, &p->e), 1);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u", i > 0 ? " " : "",
		         f.version);
	}
	seqs_done(&seqs);
	return text;
}
