/*
 * json_each: the members of an object and the elements of an array that json_scan() has found.
 *
 *	json_each_begin(&it, &doc.value);
 *	while (json_each_next(&it, &m))
 *		... m.key (objects), m.value ...
 *
 * Pure.  Relies on json_scan() having checked the text: it only looks for where things end.  All
 * members are found, also beyond JSON_MEMBERS_MAX.  Walking over a value takes time linear in its
 * length; what is found points into the text.
 */
#ifndef SHOAL_BASE_JSON_EACH_H
#define SHOAL_BASE_JSON_EACH_H

#include "base/json.h"

struct json_each {
	const char *p;
	const char *end; /* the closing bracket */
	bool object;
};

/* v is an object or an array that json_scan() or json_each_next() has found. */
void json_each_begin(struct json_each *it, const struct json_value *v);

/* The next member or element; the key of an element has no length.  False at the end. */
bool json_each_next(struct json_each *it, struct json_member *m);

/* How many members or elements it has; 0 for JSON_NONE too. */
size_t json_each_count(const struct json_value *v);

/* <0, 0 or >0: the order of the bytes that two keys mean, whatever their escapes. */
int json_key_compare(const struct json_member *a, const struct json_member *b);

#endif
