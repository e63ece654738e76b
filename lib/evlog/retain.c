#include "evlog/retain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_out.h"
#include "base/text.h"
#include "evlog/store_impl.h"

#define AGE_TEXT_MAX 64 /* bytes of a duration */

void retain_put(struct buf *data, const struct retain_rule *rule)
{
	buf_add_char(data, '{');
	json_out_key(data, "selector");
	json_out_string(data, rule->selector.p, rule->selector.len);
	if (rule->max_age.len > 0) {
		json_out_key(data, "max_age");
		json_out_string(data, rule->max_age.p, rule->max_age.len);
	}
	if (rule->max_count > 0) {
		json_out_key(data, "max_count");
		json_out_u64(data, rule->max_count);
	}
	if (rule->before > 0) {
		json_out_key(data, "before");
		json_out_u64_string(data, rule->before);
	}
	buf_add_char(data, '}');
}

/* ---- What an event says. */

static bool get_u32(const struct json_doc *d, const char *key, uint32_t *ret)
{
	const struct json_value *v = json_find(d, key);
	struct err ignored;
	uint64_t n = 0;

	if (v != NULL && (json_get_u64(v, &n, &ignored) < 0 || n > UINT32_MAX))
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool get_age(const struct json_doc *d, struct retain_rule *rule)
{
	const struct json_value *v = json_find(d, "max_age");
	char text[AGE_TEXT_MAX];
	struct err ignored;

	if (v == NULL)
		return true;
	if (v->type != JSON_STRING || v->escaped || v->len - 2 >= sizeof(text) || v->len == 2)
		return false;
	rule->max_age = (struct span){v->p + 1, v->len - 2};
	memcpy(text, rule->max_age.p, rule->max_age.len);
	text[rule->max_age.len] = '\0';
	return text_duration_ns(text, &rule->max_age_ns, &ignored) == 0;
}

/* False: it is no rule, and nothing is left out for it. */
static bool parse_rule(struct span data, struct buf *selector, struct retain_rule *ret)
{
	const struct json_value *v;
	struct json_doc doc;
	struct err ignored;

	*ret = (struct retain_rule){.max_count = 0};
	if (json_scan(data.p, data.len, &doc, &ignored) < 0)
		return false;
	v = json_find(&doc, "selector");
	buf_clear(selector);
	if (v == NULL || v->type != JSON_STRING || v->len == 2 ||
	    json_unescape(selector, v->p + 1, v->len - 2, &ignored) < 0)
		return false;
	ret->selector = (struct span){selector->data, selector->len};
	return get_u32(&doc, "max_count", &ret->max_count) &&
	       get_u32(&doc, "before", &ret->before) && get_age(&doc, ret);
}

/* ---- The rules of a store. */

void rules_drop(struct rules *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->v[i].text);
	free(r->v);
	*r = (struct rules){0};
}

static bool is_known(const struct rules *r, struct span selector)
{
	for (size_t i = 0; i < r->count; i++)
		if (span_is(r->v[i].rule.selector, selector))
			return true;
	return false;
}

/* Its text goes to memory of its own. */
static int keep_rule(struct rules *r, const struct retain_rule *rule, struct err *e)
{
	struct own_rule *v = reallocarray(r->v, r->count + 1, sizeof(*v));
	size_t selector = rule->selector.len, age = rule->max_age.len;
	char *text = malloc(selector + age + 1);

	if (v != NULL)
		r->v = v;
	if (v == NULL || text == NULL) {
		free(text);
		return err_set(e, ENOMEM, "out of memory");
	}
	memcpy(text, rule->selector.p, selector);
	if (age > 0)
		memcpy(text + selector, rule->max_age.p, age);
	v += r->count++;
	*v = (struct own_rule){.text = text, .rule = *rule};
	v->rule.selector.p = text;
	v->rule.max_age.p = text + selector;
	return 0;
}

static bool has_limit(const struct retain_rule *rule)
{
	return rule->max_age.len > 0 || rule->max_count > 0 || rule->before > 0;
}

/* Newest first, so that the first one of a selector is the one that stands. */
static int load(struct evlog *s, struct frame *f, struct rules *r, struct err *e)
{
	struct buf selector = {0};
	size_t kept = 0;
	int found = 1;

	while (found > 0 && f->kind != FRAME_DELETED) {
		uint64_t prev = f->prev;
		struct retain_rule rule;

		found = store_frame(s, f->seq, f, e);
		if (found > 0 && f->kind == FRAME_EVENT && parse_rule(f->data, &selector, &rule) &&
		    !is_known(r, rule.selector) && keep_rule(r, &rule, e) < 0)
			found = -1;
		if (found > 0)
			found = prev == 0 ? 0 : store_header(s, prev, f, e);
	}
	buf_done(&selector);
	for (size_t i = 0; i < r->count; i++)
		if (has_limit(&r->v[i].rule))
			r->v[kept++] = r->v[i];
		else
			free(r->v[i].text);
	r->count = kept;
	return found;
}

/*
 * The rules as of now, or of a moment since they were loaded.  Where they cannot be read, what is
 * damaged hides nothing: it is named elsewhere.
 */
static int refresh(struct evlog *s, uint64_t at_most, struct err *e)
{
	const struct span name = {RETAIN_STREAM, sizeof(RETAIN_STREAM) - 1};
	uint64_t durable = ctl_get(&s->ctl->durable);
	struct rules *r = &s->rules;
	struct frame f;
	int found;

	if (at_most > durable)
		at_most = durable;
	if (at_most <= r->seen)
		return 0;
	found = store_newest(s, name, durable, &f, e);
	if (found < 0 && e->code != EVLOG_DAMAGED)
		return -1;
	if (found > 0 && f.seq != r->head) {
		uint64_t head = f.seq;

		rules_drop(r);
		if (load(s, &f, r, e) < 0 && e->code != EVLOG_DAMAGED) {
			rules_drop(r);
			return -1;
		}
		r->head = head;
	}
	r->seen = at_most;
	return 0;
}

/*
 * A prefix that begins with '$' is about the store's own streams, which only rules may select so:
 * "$handled-*" bounds the marks of commands.  The rules themselves are beyond all of them.
 */
static bool takes(struct span selector, struct span stream)
{
	if (span_is(stream, (struct span){RETAIN_STREAM, sizeof(RETAIN_STREAM) - 1}))
		return false;
	if (selector.len > 1 && selector.p[0] == '$' && selector.p[selector.len - 1] == '*')
		return stream.len >= selector.len - 1 &&
		       memcmp(stream.p, selector.p, selector.len - 1) == 0;
	return evlog_selects(selector, stream);
}

int rules_hide(struct evlog *s, struct span stream, uint32_t last, uint64_t at_most,
               struct hidden *ret, struct err *e)
{
	*ret = (struct hidden){.last = last};
	if (refresh(s, at_most, e) < 0)
		return -1;
	for (size_t i = 0; i < s->rules.count; i++) {
		const struct retain_rule *r = &s->rules.v[i].rule;
		uint64_t now = s->now_ns > 0 ? (uint64_t)s->now_ns : 0;

		if (!takes(r->selector, stream))
			continue;
		if (r->max_count > 0 && last >= r->max_count &&
		    ret->below < last + 1 - r->max_count)
			ret->below = last + 1 - r->max_count;
		if (ret->below < r->before)
			ret->below = r->before;
		if (r->max_age.len > 0 && now > r->max_age_ns &&
		    ret->before_ns < now - r->max_age_ns)
			ret->before_ns = now - r->max_age_ns;
	}
	return 0;
}

int evlog_each_rule(struct evlog *s, retain_fn *fn, void *arg, struct err *e)
{
	int r = store_refresh(s, e);

	if (r == 0)
		r = refresh(s, UINT64_MAX, e);
	for (size_t i = 0; r == 0 && i < s->rules.count; i++)
		r = fn(&s->rules.v[i].rule, arg, e);
	return r < 0 ? -1 : 0;
}
