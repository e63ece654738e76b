#include "tool/progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "tool/tool.h"

#define FIRST_NS  (1 * CLOCK_NS_PER_SEC)
#define REDRAW_NS (CLOCK_NS_PER_SEC / 5)
#define LOOK_MASK 255u /* the clock is asked at each 256th call */

static struct {
	const char *what, *unit;
	uint64_t total;
	bool on, shown;
	uint32_t calls;
	int64_t next_ns;
} work;

static void draw(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		work.on = false; /* nobody looks */
}

void progress_begin(const char *what, const char *unit, uint64_t total)
{
	work.what = what;
	work.unit = unit;
	work.total = total;
	work.on = tool_is_terminal(STDERR_FILENO);
	work.next_ns = clock_mono_ns() + FIRST_NS;
}

void progress_at(uint64_t done)
{
	char text[160];
	int64_t now;

	if (!work.on || (work.calls++ & LOOK_MASK) != 0)
		return;
	now = clock_mono_ns();
	if (now < work.next_ns)
		return;
	work.next_ns = now + REDRAW_NS;
	work.shown = true;
	if (work.total > 0)
		snprintf(text, sizeof(text), "\r\033[K%s: %s: %ju of %ju %s, %u%%", tool_name(),
		         work.what, (uintmax_t)done, (uintmax_t)work.total, work.unit,
		         (unsigned)((double)done / (double)work.total * 100));
	else
		snprintf(text, sizeof(text), "\r\033[K%s: %s: %ju %s", tool_name(), work.what,
		         (uintmax_t)done, work.unit);
	draw(text);
}

void progress_clear(void)
{
	if (work.shown)
		draw("\r\033[K");
	work.shown = false;
}
