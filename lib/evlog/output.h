/*
 * output: what the program of a projection says about one event: an array of objects in JSON,
 *
 *	{"upsert":TABLE,"key":{COLUMN:VALUE,...},"set":{...},"add":{COLUMN:NUMBER,...}}
 *	{"delete":TABLE,"key":{...}}
 *	{"sql":TEXT,"args":[VALUE,...]}
 *
 * Pure.  Strict: a member of another name, a key without columns or with a value that is no
 * string, number or boolean, a column in two of key, set and add, an empty name or one with a NUL
 * are errors (EBADMSG, "output 2: ...").  All of an event's outputs are checked before the first
 * one is handed out, so that none is applied when a later one is wrong.
 *
 * Everything in a struct output points into the line.
 */
#ifndef SHOAL_EVLOG_OUTPUT_H
#define SHOAL_EVLOG_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/json_each.h"

#define OUTPUT_KEYS_MAX    16u  /* columns of a key */
#define OUTPUT_COLUMNS_MAX 256u /* columns of a key, set and add together; arguments of SQL */

enum output_kind { OUTPUT_UPSERT, OUTPUT_DELETE, OUTPUT_SQL };

/* For output_begin(): which kinds the target takes beside upsert and delete. */
enum output_takes { OUTPUT_TAKES_ROWS, OUTPUT_TAKES_SQL };

struct output {
	enum output_kind kind;
	struct json_value name;          /* the table, or the text of the SQL: a string */
	struct json_value key, set, add; /* objects; set and add: JSON_NONE when absent */
	struct json_value args;          /* an array; JSON_NONE when absent */
};

struct outputs {
	struct json_each at;
};

/* Check a line and go to its first output. */
int outputs_begin(struct outputs *o, enum output_takes takes, const char *line, size_t len,
                  struct err *e);

/* The next output; false at the end. */
bool outputs_next(struct outputs *o, struct output *ret);

#endif
