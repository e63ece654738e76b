/*
 * clock: what time it is, and which boot of the machine this is.
 *
 * Three clocks, all in nanoseconds.  Wall time is for people and may jump in both directions.
 * Boot time counts from the start of the machine, also while it sleeps: leases and timeouts that
 * other hosts rely on.  Monotonic time stops while the machine sleeps: intervals to measure.
 * Only differences of boot and monotonic times of one boot mean anything; clock_boot_id() tells
 * whether two readings are of one boot.
 *
 * Below lib/os nothing reads a clock: time is an argument there.
 */
#ifndef SHOAL_OS_CLOCK_H
#define SHOAL_OS_CLOCK_H

#include <stdint.h>

#include "base/err.h"

#define CLOCK_NS_PER_SEC INT64_C(1000000000)
#define CLOCK_NS_PER_MS  INT64_C(1000000)
#define CLOCK_NS_PER_US  INT64_C(1000)

#define CLOCK_BOOT_ID_SIZE 16

int64_t clock_wall_ns(void); /* since 1970-01-01T00:00:00Z, leap seconds not counted */
int64_t clock_boot_ns(void);
int64_t clock_mono_ns(void);

/*
 * The random id that the kernel gave to this boot (proc(5), /proc/sys/kernel/random/boot_id).
 * All containers of a machine see the same one.  -1 where /proc is not mounted (ENOENT), or with
 * EBADMSG when the file holds no UUID.
 */
int clock_boot_id(unsigned char id[CLOCK_BOOT_ID_SIZE], struct err *e);

#endif
