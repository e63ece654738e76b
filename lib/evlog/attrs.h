/*
 * attrs: the attributes of an event as they stand in a frame, without the braces around them:
 * "name":value,"name":value.
 *
 * Pure; for event.c and event_print.c.  A value is compact JSON of a string, a number or a boolean.
 * The fields of a frame end at a space, so a space inside a value is written as its escape \u0020.
 */
#ifndef SHOAL_EVLOG_ATTRS_H
#define SHOAL_EVLOG_ATTRS_H

#include <stdbool.h>

#include "base/buf.h"
#include "evlog/frame.h"

/* Is this 1 to 20 of a-z and 0-9 (CloudEvents 1.0, "Attribute Naming Convention")? */
bool attrs_is_name(struct span name);

/*
 * Take the next attribute off *rest; the spans point into it.  False at the end, and at anything
 * that attrs_put() does not write.
 */
bool attrs_next(struct span *rest, struct span *name, struct span *value);

bool attrs_has(struct span attrs, struct span name);

/* Append an attribute, with a comma before it when another one stands there. */
void attrs_put(struct buf *out, struct span name, struct span value);

/* Copy a value with its spaces as they were: what follows it; `to` has room for value.len bytes. */
char *attrs_copy_value(char *to, struct span value);

#endif
