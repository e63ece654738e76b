/* txn: several operations, all or none.  What is asked is Consul's JSON, what comes is lines. */
#include <string.h>

#include "base/json_out.h"
#include "raftctl.h"

static void check_input(struct span text)
{
	struct json_doc d;
	struct err e;

	if (json_scan(text.p, text.len, &d, &e) < 0)
		tool_dief(TOOL_DATA, "stdin: %s", e.msg);
	if (d.value.type != JSON_ARRAY)
		tool_dief(TOOL_DATA, "stdin: it is no array of operations");
}

static void print_results(const struct store *st, const struct json_value *results)
{
	struct entry e = {.index = 0};
	struct buf line = {0};
	struct json_member m;
	struct json_value v;
	struct json_each it;

	json_each_begin(&it, results);
	while (json_each_next(&it, &m)) {
		v = member_of(&m.value, "KV");
		if (v.type == JSON_NONE)
			continue; /* Consul knows of operations on other things */
		entry_read(st, &v, &e);
		entry_put(&line, &e, NULL);
		write_line(&line, '\n');
	}
	entry_done(&e);
	buf_done(&line);
}

static void print_error(const struct json_value *v)
{
	struct json_value index = member_of(v, "OpIndex");
	struct json_value why = member_of(v, "What");
	uint64_t number = 0;
	struct buf what = {0};
	struct buf line = {0};
	struct err e;

	(void)json_get_u64(&index, &number, &e);
	get_text(&what, &why);
	buf_add_char(&line, '{');
	json_out_key(&line, "operation");
	json_out_u64(&line, number);
	json_out_key(&line, "error");
	json_out_string(&line, what.data, what.len);
	buf_add_char(&line, '}');
	check_buf(&line);
	tool_stderr_line(line.data, line.len);
	buf_done(&what);
	buf_done(&line);
}

static void print_errors(const struct json_value *errors)
{
	struct json_member m;
	struct json_each it;

	json_each_begin(&it, errors);
	while (json_each_next(&it, &m))
		print_error(&m.value);
}

static int print_answer(const struct store *st, const struct http_in *in)
{
	bool done = http_in_status(in) == 200;
	const struct json_value *list;
	struct json_doc d;

	if (!done && http_in_status(in) != 409)
		answer_is_odd(st, in);
	answer_json(st, in, &d);
	list = d.value.type == JSON_OBJECT ? json_find(&d, done ? "Results" : "Errors") : NULL;
	if (list != NULL && list->type == JSON_ARRAY) {
		if (done)
			print_results(st, list);
		else
			print_errors(list);
	}
	return done ? TOOL_OK : TOOL_NO;
}

int txn_run(struct opts *o)
{
	struct store st = {.where = NULL};
	struct ask a = {.writes = true};
	struct buf input = {0};
	int status;

	for (int id; (id = opts_next(o)) != -1;)
		store_option(&st, o, id);
	opts_need(o, 0, 0, NULL);
	a.body = value_of("-", &input);
	check_input(a.body);
	store_open(&st);
	ask_begin(&a, "PUT", "/v1/txn", (struct span){NULL, 0});
	status = print_answer(&st, store_ask(&st, &a));
	ask_done(&a);
	buf_done(&input);
	store_close(&st);
	return status;
}
