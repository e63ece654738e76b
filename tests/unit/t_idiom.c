#include "evlog/idiom.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

static void note(const struct idiom *found, void *arg)
{
	buf_printf(arg, "%u:%.*s ", found->line, (int)found->word.len, found->word.p);
}

/* "LINE:WORD " for each place. */
static void expect(const char *program, const char *want)
{
	struct buf got = {0};

	idiom_each((struct span){program, strlen(program)}, note, &got);
	buf_add_char(&got, '\0');
	if (strcmp(got.data, want) != 0)
		fail_msg("%s: %s instead of %s", program, got.data, want);
	buf_done(&got);
}

static void good_programs_pass(void **state)
{
	(void)state;
	expect("", "");
	expect("{upsert: \"orders\", key: {id: .subject}, add: {n: 1}}", "");
	expect("if .type == \"Paid\" then .data.total + 1 else empty end", "");
	expect("def f(x): x + 1; f(.a) as $b | [$b, 1.5e3, ..foo?]", "1:.. ");
	expect(".[\"a\"] = .b | select(.c != 3 and .d <= 4 and .e >= 5)", "");
}

static void slow_words_are_seen_with_their_lines(void **state)
{
	(void)state;
	expect(".a += 1", "1:+= ");
	expect(".a |= 1 | .b //= 2 | .c -= 1 | .d *= 2 | .e /= 2 | .f %= 2",
	       "1:|= 1://= 1:-= 1:*= 1:/= 1:%= ");
	expect("# unique\n.x\n| unique\n| group_by(.a)", "3:unique 4:group_by ");
	expect("test(\"a\") | sub(\"a\"; \"b\")", "1:test 1:sub ");
	expect("..", "1:.. ");
}

static void what_does_not_come_from_the_event_is_seen(void **state)
{
	(void)state;
	expect("now, $ENV.HOME, env.HOME, input, inputs, halt",
	       "1:now 1:$ENV 1:env 1:input 1:inputs 1:halt ");
}

static void a_word_that_only_looks_like_one_is_let_through(void **state)
{
	(void)state;
	expect(".now, .data.input, $now, {now: 1, input: .x}", "");
	expect("\"now += unique # \\\" input\", \"..\"", "");
	expect("def unique: .; def test(x): x; unique | test(1)", "");
	expect("unique_key, nowhere, env_name", "");
}

static void the_inside_of_an_interpolation_is_looked_at(void **state)
{
	(void)state;
	expect("\"a\\(now)b\"", "1:now ");
	expect("\"a\\(.x | \"b\\(unique)c\")d\" | sort", "1:unique 1:sort ");
	expect("\"a\\((1 + (2)) | now)\\n now\n\" | now", "1:now 2:now ");
	expect("\"\\(", "");
	expect("\"\\", "");
	expect("\"a", "");
}

static void values_in_the_text_of_sql_are_seen(void **state)
{
	(void)state;
	expect("{sql: \"DELETE FROM t WHERE a=?\", args: [.a + 1]}", "");
	expect("{sql: \"DELETE FROM t WHERE a=\\(.a)\"}", "1:\"DELETE FROM t WHERE a=\\( ");
	expect("{\"sql\": (\"DELETE FROM t WHERE a=\" + .a), args: []}", "1:+ ");
	expect("{sql: @sh \"x\\(.a)\"}", "1:@sh 1:\"x\\( ");
	expect("{msql: \"\\(.a)\"}", "");
}

static void imports_are_seen_at_the_start_only(void **state)
{
	static const char *const with[] = {"import \"a\" as a; .", "# x\n\n include \"b\"; .",
	                                   "module {}; ."};
	static const char *const without[] = {
	    "", ".import", "{import: 1}", "importance", "# import \"a\" as a;\n.", "\"import\""};

	(void)state;
	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++)
		assert_true(idiom_has_import((struct span){with[i], strlen(with[i])}));
	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
		assert_false(idiom_has_import((struct span){without[i], strlen(without[i])}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_programs_pass),
	    cmocka_unit_test(slow_words_are_seen_with_their_lines),
	    cmocka_unit_test(what_does_not_come_from_the_event_is_seen),
	    cmocka_unit_test(a_word_that_only_looks_like_one_is_let_through),
	    cmocka_unit_test(the_inside_of_an_interpolation_is_looked_at),
	    cmocka_unit_test(values_in_the_text_of_sql_are_seen),
	    cmocka_unit_test(imports_are_seen_at_the_start_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
