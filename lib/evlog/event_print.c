/* event_print: from a frame to what people and programs read. */
#include <string.h>

#include "base/base64.h"
#include "base/json_out.h"
#include "base/text.h"
#include "evlog/attrs.h"
#include "evlog/event.h"

#define SECOND_LEN 20 /* "2026-11-23T10:00:00." */

/* All that event_put_json() writes around the parts whose length it knows. */
#define FIXED_MAX 512

/* Text of a known length, written at p. */
#define PUT(p, literal) put_text(p, literal, sizeof(literal) - 1)

/* The attributes that have places of their own in the output. */
enum place { AT_SOURCE, AT_TIME, AT_CORRELATION, AT_CAUSATION, AT_TRACE, PLACES };

static const char *const place_name[PLACES] = {"source", "time", "correlationid", "causationid",
                                               "traceparent"};

static inline char *put_text(char *to, const char *p, size_t n)
{
	memcpy(to, p, n);
	return to + n;
}

/*
 * A name of the frame, in quotes.  There is room for its longest form, so the buffer stays where
 * it is: `out` is only told how far the text goes.
 */
static char *put_name(struct buf *out, char *to, struct span s)
{
	out->len = (size_t)(to - out->data);
	json_out_string(out, s.p, s.len);
	return out->data + out->len;
}

/* Two digits a step; n is even. */
static char *put_digits(char *to, uint64_t v, int n)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";

	for (int i = n - 2; i >= 0; i -= 2) {
		memcpy(to + i, pairs + v % 100 * 2, 2);
		v /= 100;
	}
	return to + n;
}

static char *put_sequence(char *to, uint64_t seq)
{
	to = put_digits(to, seq / 10000000000, 10);
	return put_digits(to, seq % 10000000000, 10);
}

/* In quotes.  Events of one second share all but the fraction. */
static char *put_time(char *to, struct event_writer *w, uint64_t ns)
{
	uint64_t second = ns / TEXT_NS_PER_S;

	if (second != w->second || w->date[0] == '\0') {
		char time[TEXT_TIME_LEN];

		text_put_time(time, (int64_t)ns);
		memcpy(w->date, time, SECOND_LEN);
		w->second = second;
	}
	*to++ = '"';
	to = put_text(to, w->date, SECOND_LEN);
	to = put_digits(to, ns % TEXT_NS_PER_S / 1000, 6);
	return PUT(to, "Z\"");
}

/* Does the frame have attributes?  Then what stands between the braces. */
static bool open_attrs(const struct frame *f, struct span *ret)
{
	if (f->attrs.len < 2 || f->attrs.p[0] != '{')
		return false;
	*ret = (struct span){f->attrs.p + 1, f->attrs.len - 2};
	return true;
}

static enum place place_of(struct span name)
{
	enum place i = AT_SOURCE;

	while (i < PLACES &&
	       !(strlen(place_name[i]) == name.len && memcmp(place_name[i], name.p, name.len) == 0))
		i++;
	return i;
}

static void find_places(struct span attrs, struct span places[PLACES])
{
	struct span name;
	struct span value;

	while (attrs_next(&attrs, &name, &value)) {
		enum place at = place_of(name);

		if (at < PLACES)
			places[at] = value;
	}
}

static char *put_attribute(char *to, struct span name, struct span value)
{
	to = PUT(to, ",\"");
	to = put_text(to, name.p, name.len);
	to = PUT(to, "\":");
	return attrs_copy_value(to, value);
}

/* Those that link events first, then the others as they came. */
static char *put_attributes(char *to, struct span attrs, const struct span places[PLACES])
{
	struct span name;
	struct span value;

	for (int i = AT_CORRELATION; i < PLACES; i++)
		if (places[i].len > 0)
			to = put_attribute(to, span_str(place_name[i]), places[i]);
	while (attrs_next(&attrs, &name, &value))
		if (place_of(name) == PLACES)
			to = put_attribute(to, name, value);
	return to;
}

static char *put_data_member(char *to, struct span data)
{
	if (data.p[0] == '=') {
		to = PUT(to, ",\"data_base64\":\"");
		to = put_text(to, data.p + 1, data.len - 1);
		*to++ = '"';
	} else if (data.p[0] != '-' || data.len > 1) {
		to = PUT(to, ",\"data\":");
		to = put_text(to, data.p, data.len);
	}
	return to;
}

void event_put_json(struct buf *out, struct event_writer *w, const struct frame *f)
{
	struct span places[PLACES] = {{NULL, 0}};
	struct span attrs;
	bool has_attrs = open_attrs(f, &attrs);
	size_t names = f->id.len + f->type.len + f->stream.len + w->source.len;
	char *p = buf_reserve(out, FIXED_MAX + 6 * names + f->attrs.len + f->data.len);

	if (p == NULL)
		return;
	if (has_attrs)
		find_places(attrs, places);
	p = PUT(p, "{\"specversion\":\"1.0\",\"id\":");
	p = put_name(out, p, f->id);
	p = PUT(p, ",\"source\":");
	if (places[AT_SOURCE].len > 0)
		p = attrs_copy_value(p, places[AT_SOURCE]);
	else
		p = put_name(out, p, w->source);
	p = PUT(p, ",\"type\":");
	p = put_name(out, p, f->type);
	p = PUT(p, ",\"subject\":");
	p = put_name(out, p, f->stream);
	p = PUT(p, ",\"time\":");
	if (places[AT_TIME].len > 0)
		p = attrs_copy_value(p, places[AT_TIME]);
	else
		p = put_time(p, w, f->time_ns);
	p = PUT(p, ",\"sequence\":\"");
	p = put_sequence(p, f->seq);
	p = PUT(p, "\",\"streamversion\":\"");
	p += text_put_u64(p, f->version);
	*p++ = '"';
	if (places[AT_TIME].len > 0) {
		p = PUT(p, ",\"recordedtime\":");
		p = put_time(p, w, f->time_ns);
	}
	if (f->kind == FRAME_DELETED)
		p = frame_deletes_hard(f) ? PUT(p, ",\"streamdeleted\":\"hard\"")
		                          : PUT(p, ",\"streamdeleted\":\"soft\"");
	if (has_attrs)
		p = put_attributes(p, attrs, places);
	p = put_data_member(p, f->data);
	*p++ = '}';
	out->len = (size_t)(p - out->data);
}

void event_put_data(struct buf *out, const struct frame *f)
{
	if (f->data.p[0] == '=') {
		buf_add_char(out, '"');
		buf_add(out, f->data.p + 1, f->data.len - 1);
		buf_add_char(out, '"');
	} else if (f->data.p[0] == '-' && f->data.len == 1) {
		buf_add_str(out, "null");
	} else {
		buf_add(out, f->data.p, f->data.len);
	}
}

void event_put_raw(struct buf *out, const struct frame *f)
{
	struct err ignored; /* what is no base64 was not written by us and is shown as it is */

	if (f->data.p[0] == '-' && f->data.len == 1)
		return;
	if (f->data.p[0] != '=' || base64_decode(out, f->data.p + 1, f->data.len - 1, &ignored) < 0)
		buf_add(out, f->data.p, f->data.len);
}

static void put_field(struct buf *out, struct span s)
{
	buf_add(out, s.p, s.len);
	buf_add_char(out, '\t');
}

void event_put_tsv(struct buf *out, const struct frame *f)
{
	char digits[TEXT_U64_LEN];

	put_sequence(digits, f->seq);
	put_field(out, (struct span){digits, sizeof(digits)});
	put_field(out, f->stream);
	put_field(out, (struct span){digits, text_put_u64(digits, f->version)});
	put_field(out, f->type);
	put_field(out, f->id);
	event_put_data(out, f);
}
