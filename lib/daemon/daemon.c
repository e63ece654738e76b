#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/file.h"

bool daemon_is_local(const char *address)
{
	static const char *const begins[] = {"unix:", "127.", "[::1]:", "localhost:"};

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (strncmp(address, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

int daemon_write_port(const char *path, uint16_t port, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	char text[16];
	int n = snprintf(text, sizeof(text), "%" PRIu16 "\n", port);
	int dir = AT_FDCWD;
	int r;

	if (slash != NULL) {
		if ((size_t)(slash - path) >= sizeof(parent) - 1)
			return err_set(e, ENAMETOOLONG, "write '%s': the name is too long", path);
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path) + 1, path);
		dir = file_open_dir(&io_os, AT_FDCWD, parent, e);
		if (dir < 0)
			return -1;
	}
	r = file_replace_unsynced(&io_os, dir, slash == NULL ? path : slash + 1, text, (size_t)n,
	                          0644, e);
	if (dir != AT_FDCWD)
		file_close(&io_os, dir);
	return r;
}

void daemon_notify(const char *name, const char *state)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = name == NULL ? 0 : strlen(name);
	int fd;

	if (n == 0 || n >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, name, n);
	if (name[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
	             (const struct sockaddr *)&to,
	             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}
