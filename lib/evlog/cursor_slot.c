#include "evlog/cursor_slot.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/span.h"
#include "base/text.h"

#define MAGIC   "evcur1"
#define CRC_LEN 8

static char *put_word(char *to, const char *word, size_t len)
{
	memcpy(to, word, len);
	to[len] = ' ';
	return to + len + 1;
}

void cursor_slot_put(char to[CURSOR_SLOT], const struct cursor_state *state, uint32_t salt)
{
	size_t selector_len = strlen(state->selector);
	size_t program_len = strlen(state->program);
	char digits[TEXT_TIME_LEN];
	char *p = to;

	assert(selector_len > 0 && selector_len <= CURSOR_SELECTOR_MAX);
	assert(program_len > 0 && program_len <= CURSOR_PROGRAM_LEN);
	memset(to, ' ', CURSOR_SLOT);
	to[CURSOR_SLOT - 1] = '\n';
	p = put_word(p, MAGIC, strlen(MAGIC));
	text_put_u64_padded(digits, state->sequence);
	p = put_word(p, digits, TEXT_U64_LEN);
	text_put_u64_padded(digits, state->save);
	p = put_word(p, digits, TEXT_U64_LEN);
	text_put_time(digits, state->time_ns);
	p = put_word(p, digits, TEXT_TIME_LEN);
	text_put_hex(digits, state->event_ns, 16);
	p = put_word(p, digits, 16);
	p = put_word(p, digits, text_put_u64(digits, state->tries));
	p = put_word(p, state->selector, selector_len);
	p = put_word(p, state->program, program_len);
	text_put_hex(p, crc32c(salt, to, (size_t)(p - to)), CRC_LEN);
}

void cursor_file_put(char to[CURSOR_FILE], const struct cursor_state *state, uint32_t salt)
{
	memset(to, ' ', CURSOR_FILE);
	cursor_slot_put(to, state, salt);
	to[CURSOR_FILE - 1] = '\n';
}

/* The next word of *rest, and the space behind it. */
static struct span next_word(struct span *rest)
{
	const char *space = memchr(rest->p, ' ', rest->len);
	struct span word = {rest->p, space != NULL ? (size_t)(space - rest->p) : 0};

	if (space != NULL) {
		rest->p = space + 1;
		rest->len -= word.len + 1;
	}
	return word;
}

static bool get_number(struct span word, uint64_t max, uint64_t *ret)
{
	struct err ignored;

	return num_u64_len(word.p, word.len, 0, max, ret, &ignored) == 0;
}

static bool get_text(struct span word, char *to, size_t max)
{
	if (word.len == 0 || word.len > max)
		return false;
	memcpy(to, word.p, word.len);
	to[word.len] = '\0';
	return true;
}

bool cursor_slot_get(const char from[CURSOR_SLOT], uint32_t salt, struct cursor_state *ret)
{
	struct span rest = {from, CURSOR_SLOT};
	struct cursor_state state = {0};
	struct span word = next_word(&rest);
	struct err ignored;
	uint64_t tries;
	uint64_t crc;

	if (!span_is(word, span_str(MAGIC)) ||
	    !get_number(next_word(&rest), UINT64_MAX, &state.sequence) ||
	    !get_number(next_word(&rest), UINT64_MAX, &state.save))
		return false;
	word = next_word(&rest);
	if (text_get_time(word.p, word.len, &state.time_ns, &ignored) < 0)
		return false;
	word = next_word(&rest);
	if (word.len != 16 || text_get_hex(word.p, 16, &state.event_ns) < 0 ||
	    !get_number(next_word(&rest), UINT32_MAX, &tries) ||
	    !get_text(next_word(&rest), state.selector, CURSOR_SELECTOR_MAX) ||
	    !get_text(next_word(&rest), state.program, CURSOR_PROGRAM_LEN))
		return false;
	if (rest.len < CRC_LEN || text_get_hex(rest.p, CRC_LEN, &crc) < 0 ||
	    crc != crc32c(salt, from, (size_t)(rest.p - from)))
		return false;
	state.tries = (uint32_t)tries;
	*ret = state;
	return true;
}
