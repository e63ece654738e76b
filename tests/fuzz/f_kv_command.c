/*
 * kv command: bytes of the log and of the wire.  What is sound is made again from its parts, byte
 * for byte; the input is also cut into commands that are applied one after the other, and after
 * each of them the state is sound.  Results that come of it are read, and so is the input as one.
 */
#include <string.h>

#include "fuzz.h"
#include "kv/kv.h"

static void read_result(struct span p, const struct kv_op *op)
{
	struct kv_op_error error;
	struct kv_result result;
	struct kv_entry entry;
	struct buf text = {0};
	struct err e;
	uint8_t n;

	if (kv_result_get(&result, p, &e) < 0)
		return;
	kv_code_text(&text, result.code, NULL);
	while (kv_result_next_error(&result, &error, &e) == 1)
		kv_error_text(&text, &error, op);
	while (kv_result_next_entry(&result, &entry, &n, &e) == 1)
		CHECK(entry.key.p + entry.key.len <= p.p + p.len && entry.value.len <= p.len + 1);
	buf_done(&text);
}

static void round_trip(struct span p)
{
	static struct kv_command c;
	struct buf b = {0};
	struct err e;

	if (kv_command_get(&c, p, &e) < 0)
		return;
	CHECK(p.len == 0 || c.op_count <= KV_OPS_MAX);
	if (p.len > 0) {
		CHECK(kv_command_put(&b, &c, &e) == 0);
		CHECK(b.len == p.len && memcmp(b.data, p.p, b.len) == 0);
	}
	buf_done(&b);
}

/* Pieces of the input, each behind a byte with its length, and the clock in another. */
static void apply_all(const uint8_t *data, size_t size)
{
	struct kv *kv = kv_new();
	struct kv_output out = {0};
	uint64_t clock_ns = 0;
	struct err e;

	CHECK(kv != NULL);
	for (uint64_t index = 1; size >= 2; index++) {
		size_t n = data[0] < size - 2 ? data[0] : size - 2;
		struct kv_input in = {.index = index, .command = {(const char *)data + 2, n}};

		clock_ns += data[1];
		in.clock_ns = clock_ns;
		data += 2 + n;
		size -= 2 + n;
		if (kv_apply(kv, &in, &out, &e) < 0)
			continue;
		CHECK(kv_check(kv, &e) == 0);
		CHECK(kv_next_expiry(kv) > clock_ns);
		read_result((struct span){out.result.data, out.result.len}, NULL);
	}
	kv_output_done(&out);
	kv_free(kv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kv_op op = {.key = {(const char *)data, size}};

	round_trip((struct span){(const char *)data, size});
	apply_all(data, size);
	read_result((struct span){(const char *)data, size}, size > 0 ? &op : NULL);
	return 0;
}
