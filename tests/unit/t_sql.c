#include "evlog/sql.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct output parse(const char *line)
{
	struct outputs all;
	struct output o;
	struct err e;

	if (outputs_begin(&all, OUTPUT_TAKES_SQL, line, strlen(line), &e) < 0)
		fail_msg("%s: %s", line, e.msg);
	assert_true(outputs_next(&all, &o));
	return o;
}

static void expect(void (*put)(struct buf *, const struct output *), const char *line,
                   const char *want)
{
	struct output o = parse(line);
	struct buf sql = {0};

	put(&sql, &o);
	buf_add_char(&sql, '\0');
	assert_string_equal(sql.data, want);
	buf_done(&sql);
}

#define UPSERT "[{\"upsert\":\"t\",\"key\":{\"k\":1,\"l\":2},\"set\":{\"a\":3},\"add\":{\"n\":4}}]"

static void an_upsert_is_an_update_and_an_insert(void **state)
{
	(void)state;
	expect(sql_put_update, UPSERT,
	       "UPDATE \"t\" SET \"a\"=?3,\"n\"=coalesce(\"t\".\"n\",0)+?4 "
	       "WHERE \"t\".\"k\"=?1 AND \"t\".\"l\"=?2");
	expect(sql_put_insert, UPSERT,
	       "INSERT INTO \"t\"(\"k\",\"l\",\"a\",\"n\") VALUES(?1,?2,?3,?4) "
	       "ON CONFLICT(\"k\",\"l\") DO NOTHING");
}

static void an_upsert_of_a_key_alone_has_no_update(void **state)
{
	struct output o = parse("[{\"upsert\":\"t\",\"key\":{\"k\":1},\"set\":{}}]");

	(void)state;
	assert_false(sql_has_update(&o));
	expect(sql_put_insert, "[{\"upsert\":\"t\",\"key\":{\"k\":1}}]",
	       "INSERT INTO \"t\"(\"k\") VALUES(?1) ON CONFLICT(\"k\") DO NOTHING");
}

static void a_delete_names_all_columns_of_the_key(void **state)
{
	(void)state;
	expect(sql_put_delete, "[{\"delete\":\"t\",\"key\":{\"k\":1,\"l\":2}}]",
	       "DELETE FROM \"t\" WHERE \"t\".\"k\"=?1 AND \"t\".\"l\"=?2");
}

static void names_stay_inside_their_quotes(void **state)
{
	(void)state;
	expect(sql_put_delete,
	       "[{\"delete\":\"t\\\"; DROP TABLE t; --\",\"key\":{\"\\u0022 OR 1=1\":\"\\\"x\"}}]",
	       "DELETE FROM \"t\"\"; DROP TABLE t; --\" "
	       "WHERE \"t\"\"; DROP TABLE t; --\".\"\"\" OR 1=1\"=?1");
}

static void outputs_of_one_shape_have_the_same_statements(void **state)
{
	static const char *const lines[] = {
	    "[{\"upsert\":\"t\",\"key\":{\"k\":1},\"set\":{\"a\":1}}]",
	    "[{\"upsert\":\"t\",\"key\":{\"k\":\"x\"},\"set\":{\"a\":null}}]", /* the same */
	    "[{\"upsert\":\"u\",\"key\":{\"k\":1},\"set\":{\"a\":1}}]",
	    "[{\"delete\":\"t\",\"key\":{\"k\":1}}]",
	    "[{\"upsert\":\"t\",\"key\":{\"k\":1}}]",
	    "[{\"upsert\":\"t\",\"key\":{\"k\":1},\"add\":{\"a\":1}}]",
	    "[{\"upsert\":\"t\",\"key\":{\"k\":1,\"a\":1}}]",
	    "[{\"upsert\":\"t\",\"key\":{\"k\":1},\"set\":{\"a\":1,\"b\":2}}]",
	    "[{\"upsert\":\"t\",\"key\":{\"k\":1},\"set\":{\"a\\\"b\":1}}]",
	    "[{\"sql\":\"t\"}]",
	};
	struct buf shape[10] = {0};

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		struct output o = parse(lines[i]);

		sql_put_shape(&shape[i], &o);
	}
	for (size_t i = 0; i < 10; i++)
		for (size_t j = 0; j < i; j++)
			assert_int_equal(i == 1 && j == 0, shape[i].len == shape[j].len &&
			                                       memcmp(shape[i].data, shape[j].data,
			                                              shape[i].len) == 0);
	for (size_t i = 0; i < 10; i++)
		buf_done(&shape[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_upsert_is_an_update_and_an_insert),
	    cmocka_unit_test(an_upsert_of_a_key_alone_has_no_update),
	    cmocka_unit_test(a_delete_names_all_columns_of_the_key),
	    cmocka_unit_test(names_stay_inside_their_quotes),
	    cmocka_unit_test(outputs_of_one_shape_have_the_same_statements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
