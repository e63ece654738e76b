/* result_text: what a code means, in the words of Consul's API, which its clients look for. */
#include "base/text.h"
#include "kv/result.h"

void kv_quoted_put(struct buf *to, struct span s)
{
	buf_add_char(to, '"');
	while (s.len > 0) {
		unsigned char c = (unsigned char)s.p[0];
		size_t n = text_utf8_len(s.p, s.len);

		if (c == '"' || c == '\\')
			buf_printf(to, "\\%c", c);
		else if (n > 1 || (n == 1 && c >= ' ' && c != 0x7f))
			buf_add(to, s.p, n);
		else if (c == '\n' || c == '\t' || c == '\r')
			buf_printf(to, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
		else
			buf_printf(to, "\\x%02x", c);
		n = n > 0 ? n : 1;
		s.p += n;
		s.len -= n;
	}
	buf_add_char(to, '"');
}

/* Nothing for nobody. */
static void put_uuid(struct buf *to, const unsigned char id[ID_LEN])
{
	char text[ID_UUID_LEN];

	if (id_is_zero(id))
		return;
	id_put_uuid(text, id);
	buf_add(to, text, sizeof(text));
}

static void put_about(struct buf *to, const char *what, struct span key, const char *then)
{
	buf_add_str(to, what);
	kv_quoted_put(to, key);
	buf_add_str(to, then);
}

static void put_stale(struct buf *to, const struct kv_op_error *error, const struct kv_op *op)
{
	if (op->verb == KV_CHECK_INDEX) {
		put_about(to, "failed index check for key ", op->key, ", current modify index ");
		buf_printf(to, "%llu != %llu", (unsigned long long)error->actual_index,
		           (unsigned long long)op->index);
	} else {
		put_about(
		    to, op->verb == KV_DELETE_CAS ? "failed to delete key " : "failed to set key ",
		    op->key, ", index is stale");
	}
}

static void put_absent(struct buf *to, const struct kv_op *op)
{
	if (op->verb == KV_CHECK_INDEX)
		put_about(to, "failed to check index, key ", op->key, " doesn't exist");
	else if (op->verb == KV_CHECK_SESSION)
		put_about(to, "failed to check session, key ", op->key, " doesn't exist");
	else
		put_about(to, "key ", op->key, " doesn't exist");
}

static void put_other_session(struct buf *to, const struct kv_op_error *error,
                              const struct kv_op *op)
{
	put_about(to, "failed session check for key ", op->key, ", current session \"");
	put_uuid(to, error->actual_session);
	buf_add_str(to, "\" != \"");
	put_uuid(to, op->session);
	buf_add_char(to, '"');
}

void kv_error_text(struct buf *to, const struct kv_op_error *error, const struct kv_op *op)
{
	static const struct kv_op none = {.key = {"", 0}};

	if (op == NULL)
		op = &none;
	switch (error->code) {
	case KV_STALE:
		put_stale(to, error, op);
		break;
	case KV_HELD:
		put_about(to, "failed to lock key ", op->key, ", lock is already held");
		break;
	case KV_DELAYED:
		put_about(to, "failed to lock key ", op->key, " due to lock delay");
		break;
	case KV_NOT_HELD:
		put_about(to, "failed to unlock key ", op->key,
		          ", lock isn't held, or is held by another session");
		break;
	case KV_ABSENT:
		put_absent(to, op);
		break;
	case KV_PRESENT:
		put_about(to, "key ", op->key, " exists");
		break;
	case KV_OTHER_SESSION:
		put_other_session(to, error, op);
		break;
	default:
		kv_code_text(to, error->code, op->session);
	}
}

static const char *text_of(uint8_t code)
{
	switch (code) {
	case KV_OK:
		return "done";
	case KV_MISSING_SESSION:
		return "missing session";
	case KV_SESSION_EXISTS:
		return "a session with this id exists";
	case KV_FULL:
		return "too many sessions";
	case KV_TOO_LARGE:
		return "the result is too large";
	case KV_BAD_COMMAND:
		return "not a command";
	case KV_TXN_FAILED:
		return "the transaction failed";
	case KV_FORGOTTEN:
		return "this command is older than what is kept of its client: it may have been "
		       "done or not";
	case KV_UNKNOWN_CLIENT:
		return "this client is not known, or not any more: its earlier commands may have "
		       "been done or not";
	case KV_REUSED:
		return "another command of this client had the same number";
	default:
		return NULL;
	}
}

void kv_code_text(struct buf *to, uint8_t code, const unsigned char *session)
{
	static const unsigned char nobody[ID_LEN];
	const char *text = text_of(code);

	session = session != NULL ? session : nobody;
	if (code == KV_INVALID_SESSION) {
		buf_add_str(to, "invalid session \"");
		put_uuid(to, session);
		buf_add_char(to, '"');
	} else if (code == KV_NO_SESSION) {
		buf_add_str(to, "Session id '");
		put_uuid(to, session);
		buf_add_str(to, "' not found");
	} else if (text != NULL) {
		buf_add_str(to, text);
	} else {
		buf_printf(to, "code %u", code);
	}
}
