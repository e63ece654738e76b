/* scan_impl: what verify and repair need of a scan beyond read.h. */
#ifndef SHOAL_EVLOG_SCAN_IMPL_H
#define SHOAL_EVLOG_SCAN_IMPL_H

#include "evlog/read.h"

/* Return removed events (kind X) as well. */
void scan_with_stubs(struct scan *sc);

#endif
