/*
 * evlog_gen: input for the measurements of evlog, the same for the same seed.
 *
 *	evlog_gen events SEED FIRST LAST STREAMS   lines for append --batch, LINE_LEN bytes each
 *	evlog_gen given SEED FIRST LAST STREAMS    the same with an id in each, longer by that
 *	evlog_gen plain SEED FIRST LAST            the same without stream, for append STREAM
 *	evlog_gen names SEED COUNT EVENTS STREAMS  streams that `events SEED 0 EVENTS` has written
 *to
 *
 * FIRST counts from 0, LAST is not written.  Each event goes to a random one of STREAMS streams,
 * so a million events over up to a million streams are 632 thousand streams.
 */
#include <inttypes.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/id.h"
#include "bench.h"

#define LINE_LEN 200 /* with its LF */
#define FLUSH_AT (256u << 10)

#define STREAM_SALT 1
#define ID_SALT     2
#define DATA_SALT   3
#define NAME_SALT   4

static uint64_t seed;

static uint64_t stream_of(uint64_t event, uint64_t streams)
{
	return mix(seed + STREAM_SALT, event) % streams;
}

static void put_id(struct buf *b, uint64_t event)
{
	uint64_t half[2] = {mix(seed + ID_SALT, 2 * event), mix(seed + ID_SALT, 2 * event + 1)};
	unsigned char id[ID_LEN];
	char text[ID_UUID_LEN];

	memcpy(id, half, sizeof(id));
	id_put_uuid(text, id);
	buf_add_str(b, "\"id\":\"");
	buf_add(b, text, sizeof(text));
	buf_add_str(b, "\",");
}

/* An order as a shop would note it, and a remark that makes the line as long as it should be. */
static void put_event(struct buf *b, uint64_t event, size_t line_len)
{
	static const char *const types[] = {"OrderPlaced", "OrderPaid", "OrderPacked", "OrderSent"};
	static const char remark[] = "leave it with the neighbours on the second floor, please; "
				     "ring twice, the bell is slow to wake up in the morning; "
				     "and mind the step behind the gate, it is steep and wet";
	uint64_t r = mix(seed + DATA_SALT, event);
	size_t left;

	buf_add_str(b, "\"type\":\"");
	buf_add_str(b, types[r % 4]);
	buf_add_str(b, "\",\"data\":{\"customer\":");
	buf_printf(b,
	           "%" PRIu64 ",\"total\":\"%" PRIu64 ".%02" PRIu64 "\",\"sku\":\"%06" PRIx64 "\"",
	           r >> 8 & 0xfffff, r >> 28 & 0x3ff, (r >> 38) % 100, r >> 40);
	buf_add_str(b, ",\"remark\":\"");
	left = line_len > b->len + 4 ? line_len - b->len - 4 : 0;
	buf_add(b, remark, left < sizeof(remark) ? left : sizeof(remark) - 1);
	buf_add_str(b, "\"}}\n");
}

static void flush(struct buf *out)
{
	write_all(STDOUT_FILENO, out->data, out->len);
	buf_clear(out);
}

/* streams 0: without a stream. */
static void put_events(uint64_t first, uint64_t last, uint64_t streams, bool given)
{
	struct buf line = {0};
	struct buf out = {0};

	for (uint64_t i = first; i < last; i++) {
		size_t len = LINE_LEN;

		buf_clear(&line);
		buf_add_char(&line, '{');
		if (streams > 0)
			buf_printf(&line, "\"stream\":\"order-%" PRIu64 "\",",
			           stream_of(i, streams));
		if (given) {
			size_t before = line.len;

			put_id(&line, i);
			len += line.len - before;
		}
		put_event(&line, i, len);
		buf_add(&out, line.data, line.len);
		if (out.len >= FLUSH_AT)
			flush(&out);
	}
	flush(&out);
	buf_done(&line);
	buf_done(&out);
}

/* Random ones of the streams that have an event, each as likely as the others. */
static void put_names(uint64_t count, uint64_t events, uint64_t streams)
{
	bool *written = allocate(streams, sizeof(*written));
	struct buf out = {0};

	for (uint64_t i = 0; i < events; i++)
		written[stream_of(i, streams)] = true;
	for (uint64_t i = 0; count > 0; i++) {
		uint64_t stream = mix(seed + NAME_SALT, i) % streams;

		if (!written[stream])
			continue;
		buf_printf(&out, "order-%" PRIu64 "\n", stream);
		count--;
		if (out.len >= FLUSH_AT)
			flush(&out);
	}
	flush(&out);
	buf_done(&out);
	free(written);
}

int main(int argc, char **argv)
{
	uint64_t n[3] = {0};

	if (argc < 5 || argc > 6)
		die("usage: evlog_gen events|given|plain|names SEED N N [N]");
	seed = number(argv[2]) << 8;
	for (int i = 3; i < argc; i++)
		n[i - 3] = number(argv[i]);
	if (strcmp(argv[1], "plain") == 0)
		put_events(n[0], n[1], 0, false);
	else if (argc == 6 && n[2] > 0 && strcmp(argv[1], "events") == 0)
		put_events(n[0], n[1], n[2], false);
	else if (argc == 6 && n[2] > 0 && strcmp(argv[1], "given") == 0)
		put_events(n[0], n[1], n[2], true);
	else if (argc == 6 && n[1] > 0 && n[2] > 0 && strcmp(argv[1], "names") == 0)
		put_names(n[0], n[1], n[2]);
	else
		die("usage: evlog_gen events|given|plain|names SEED N N [N]");
	return 0;
}
