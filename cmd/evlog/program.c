#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "evlog.h"
#include "evlog/idiom.h"
#include "os/jq.h"

struct span program_span(const struct program *p)
{
	return (struct span){p->text.data, p->text.len - 1};
}

void program_read(struct program *p, const char *file)
{
	struct err e;

	*p = (struct program){.imports = false};
	if (file_read(AT_FDCWD, file, JQ_PROGRAM_MAX, &p->text, &e) < 0) {
		if (e.code == EFBIG)
			tool_die(TOOL_DATA, &e);
		fail(&e);
	}
	if (p->text.len > 0 && memchr(p->text.data, '\0', p->text.len) != NULL)
		tool_dief(TOOL_DATA, "'%s' is no jq program: it holds a NUL", file);
	buf_add_char(&p->text, '\0');
	if (buf_ok(&p->text, &e) < 0)
		fail(&e);
	p->imports = idiom_has_import(program_span(p));
}

void program_done(struct program *p)
{
	buf_done(&p->text);
}
