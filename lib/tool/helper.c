#include "tool/helper.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* The directory of the program that runs, without its last slash. */
static int own_dir(char dir[PATH_MAX], struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	if (n < 0)
		return err_sys(e, "readlink '/proc/self/exe'");
	dir[n] = '\0';
	slash = strrchr(dir, '/');
	if (slash == NULL)
		return err_set(e, ENOENT, "'%s' is no path", dir);
	*slash = '\0';
	return 0;
}

int tool_helper(const char *name, struct buf *path, struct err *e)
{
	static const char *const places[] = {"../libexec/shoal", "../libexec"};
	char dir[PATH_MAX];

	if (own_dir(dir, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		buf_clear(path);
		buf_printf(path, "%s/%s/%s", dir, places[i], name);
		buf_add_char(path, '\0');
		if (buf_ok(path, e) < 0)
			return -1;
		if (access(path->data, X_OK) == 0)
			return 0;
	}
	return err_set(e, ENOENT, "the helper program '%s' is not in '%s/%s' nor in '%s/%s'", name,
	               dir, places[0], dir, places[1]);
}
