/* print: events on stdout, in the form that was asked for. */
#include <string.h>

#include "evlog.h"

#define FLUSH_AT (192u << 10) /* more than tool_write() keeps: the bytes are not copied again */

bool printer_option(struct printer *p, const struct opts *o, int id)
{
	static const char *const formats[] = {"ce", "data", "raw", "tsv", "batch"};
	size_t n = sizeof(formats) / sizeof(formats[0]);
	size_t i = 0;

	if (id == '0') {
		p->nul = true;
		return true;
	}
	if (id != 'o')
		return false;
	while (i < n && strcmp(o->arg, formats[i]) != 0)
		i++;
	if (i == n)
		opts_bad(o, "'%s' is none of ce, data, raw, tsv, batch", o->arg);
	p->format = (enum print_format)i;
	return true;
}

static bool is_uri_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

/* A source is a URI-reference (CloudEvents 1.0), a directory may have any name. */
struct span source_of(struct buf *b, const struct evlog *s)
{
	struct err e;

	buf_clear(b);
	buf_add_str(b, "/evlog/");
	for (const char *p = evlog_name(s); *p != '\0'; p++)
		if (is_uri_char(*p))
			buf_add_char(b, *p);
		else
			buf_printf(b, "%%%02X", (unsigned)(unsigned char)*p);
	if (buf_ok(b, &e) < 0)
		fail(&e);
	return (struct span){b->data, b->len};
}

void printer_begin(struct printer *p, const struct evlog *s)
{
	p->writer.source = source_of(&p->source, s);
}

static void write_out(struct printer *p)
{
	struct err e;

	if (buf_ok(&p->out, &e) < 0)
		fail(&e);
	if (p->out.len > 0)
		tool_write(p->out.data, p->out.len);
	buf_clear(&p->out);
}

/* Raw bytes that are no JSON end where they end: a file comes out as it went in. */
static void put_raw(struct printer *p, const struct frame *f)
{
	event_put_raw(&p->out, f);
	if (p->nul)
		buf_add_char(&p->out, '\0');
	else if (f->data.p[0] != '=' && f->data.len > 1)
		buf_add_char(&p->out, '\n');
}

void printer_put(struct printer *p, const struct frame *f)
{
	switch (p->format) {
	case PRINT_CE:
		event_put_json(&p->out, &p->writer, f);
		break;
	case PRINT_DATA:
		event_put_data(&p->out, f);
		break;
	case PRINT_TSV:
		event_put_tsv(&p->out, f);
		break;
	case PRINT_RAW:
		put_raw(p, f);
		break;
	case PRINT_BATCH:
		buf_add(&p->out, p->count > 0 ? ",\n" : "[", p->count > 0 ? 2 : 1);
		event_put_json(&p->out, &p->writer, f);
		break;
	}
	if (p->format != PRINT_RAW && p->format != PRINT_BATCH)
		buf_add_char(&p->out, p->nul ? '\0' : '\n');
	p->count++;
	if (p->out.len >= FLUSH_AT)
		write_out(p);
}

void printer_flush(struct printer *p)
{
	write_out(p);
	tool_flush();
}

void printer_end(struct printer *p, bool exists)
{
	if (p->format == PRINT_BATCH && (exists || p->count > 0)) {
		buf_add_str(&p->out, p->count > 0 ? "]" : "[]");
		buf_add_char(&p->out, p->nul ? '\0' : '\n');
	}
	write_out(p);
	buf_done(&p->out);
	buf_done(&p->source);
}
