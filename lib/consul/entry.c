#include "consul/entry.h"

#include "base/base64.h"
#include "base/id.h"
#include "base/json_out.h"
#include "base/text.h"

/* What an entry needs beside its key and value: the names, five numbers and a session. */
#define ENTRY_ROOM 280

static void put_base64(struct buf *to, struct span s)
{
	buf_add_char(to, '"');
	base64_encode(to, s.p, s.len);
	buf_add_char(to, '"');
}

static void put_member(struct buf *to, const char *name, uint64_t v)
{
	json_out_key(to, name);
	json_out_u64(to, v);
}

static void put_session(struct buf *to, const unsigned char id[ID_LEN])
{
	char text[ID_UUID_LEN];

	id_put_uuid(text, id);
	json_out_key(to, "Session");
	json_out_string(to, text, sizeof(text));
}

static void put_comma(struct buf *to)
{
	char last = to->len > 0 ? to->data[to->len - 1] : '[';

	if (last != '[' && last != ':')
		buf_add_char(to, ',');
}

void consul_entry_put(struct buf *to, const struct kv_entry *entry)
{
	/* One growth for most entries; what this says is checked by what follows. */
	(void)buf_reserve(to, ENTRY_ROOM + 2 * entry->key.len + BASE64_LEN(entry->value.len));
	put_comma(to);
	buf_add_char(to, '{');
	put_member(to, "LockIndex", entry->lock);
	json_out_key(to, "Key");
	json_out_string(to, entry->key.p, entry->key.len);
	if (!text_is_utf8(entry->key.p, entry->key.len)) {
		json_out_key(to, "KeyBase64");
		put_base64(to, entry->key);
	}
	put_member(to, "Flags", entry->flags);
	json_out_key(to, "Value");
	if (entry->has_value && entry->value.len > 0)
		put_base64(to, entry->value);
	else
		buf_add_str(to, "null");
	if (!id_is_zero(entry->session))
		put_session(to, entry->session);
	put_member(to, "CreateIndex", entry->create);
	put_member(to, "ModifyIndex", entry->modify);
	if (entry->fence != 0)
		put_member(to, "Fence", entry->fence);
	buf_add_char(to, '}');
}

size_t consul_entries_put(struct buf *to, struct kv *kv, struct span prefix)
{
	struct kv_cursor cursor;
	struct kv_entry entry;
	size_t count = 0;

	buf_add_char(to, '[');
	kv_scan(kv, prefix, &cursor);
	for (; kv_cursor_next(&cursor, &entry); count++)
		consul_entry_put(to, &entry);
	kv_cursor_done(&cursor);
	buf_add_char(to, ']');
	return count;
}

size_t consul_keys_put(struct buf *to, struct kv *kv, struct span prefix, struct span separator,
                       bool base64)
{
	struct kv_cursor cursor;
	struct span key;
	size_t count = 0;

	buf_add_char(to, '[');
	kv_scan(kv, prefix, &cursor);
	for (; kv_cursor_next_key(&cursor, separator, &key); count++) {
		put_comma(to);
		if (base64)
			put_base64(to, key);
		else
			json_out_string(to, key.p, key.len);
	}
	kv_cursor_done(&cursor);
	buf_add_char(to, ']');
	return count;
}

/* ---- Pretty. */

static void put_line(struct buf *to, unsigned depth)
{
	buf_add_char(to, '\n');
	while (depth-- > 0)
		buf_add_str(to, "    ");
}

/* The string at p, in its quotes; returns what follows. */
static const char *put_string(struct buf *to, const char *p, const char *end)
{
	const char *from = p++;

	while (p < end && *p != '"')
		p += *p == '\\' && end - p > 1 ? 2 : 1;
	p += p < end;
	buf_add(to, from, (size_t)(p - from));
	return p;
}

void consul_pretty_put(struct buf *to, struct span json)
{
	const char *p = json.p;
	const char *end = json.p + json.len;
	unsigned depth = 0;

	while (p < end) {
		char c = *p;

		if (c == '"') {
			p = put_string(to, p, end);
			continue;
		}
		p++;
		if ((c == ']' || c == '}') && depth > 0)
			put_line(to, --depth);
		buf_add_char(to, c);
		if ((c == '[' || c == '{') && p < end && (*p == ']' || *p == '}'))
			buf_add_char(to, *p++); /* an empty one stays as it is */
		else if (c == '[' || c == '{')
			put_line(to, ++depth);
		else if (c == ',')
			put_line(to, depth);
		else if (c == ':')
			buf_add_char(to, ' ');
	}
	buf_add_char(to, '\n');
}
