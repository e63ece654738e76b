/*
 * daemon: what every daemon of the family does alike at its start: which addresses it may listen
 * on, the port file, and the word to a service manager.
 */
#ifndef SHOAL_DAEMON_DAEMON_H
#define SHOAL_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* "unix:PATH", "127.x.x.x:PORT", "[::1]:PORT", "localhost:PORT": nobody from elsewhere can come. */
bool daemon_is_local(const char *address);

/*
 * Write the port, a number and a line end, to a file, all at once: who waits for it never sees half
 * of it.
 */
int daemon_write_port(const char *path, uint16_t port, struct err *e);

/*
 * Tell a service manager (sd_notify(3)): "READY=1", "STOPPING=1".  socket is the value of
 * NOTIFY_SOCKET, a path or an abstract name that begins with '@'; NULL: there is none.  Nobody who
 * listens is no error.
 */
void daemon_notify(const char *socket, const char *state);

#endif
