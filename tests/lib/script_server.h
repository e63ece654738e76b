/*
 * script_server: a server that does what a test says, connection by connection.
 *
 * It runs in a thread.  Of each connection, it reads requests one after the other (a head, and a
 * body by its Content-Length) and answers each with the bytes of its line.
 */
#ifndef SHOAL_TESTS_LIB_SCRIPT_SERVER_H
#define SHOAL_TESTS_LIB_SCRIPT_SERVER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define SCRIPT_LINES_MAX 8
#define SCRIPT_CONNS_MAX 8

/* How a connection goes on behind its last line. */
enum script_end {
	SCRIPT_CLOSE,  /* closed at once */
	SCRIPT_LINGER, /* closed when the client closes */
	SCRIPT_READ,   /* one more request is read, then it is closed */
};

struct script {
	const char *lines[SCRIPT_LINES_MAX]; /* answers; ends with NULL */
	enum script_end end;
	bool early; /* answer when the head has come, and leave the body unread */
};

struct script_server {
	const struct script *scripts;
	size_t count;
	int fd;
	uint16_t port; /* 0: a unix socket */
	pthread_t thread;
	sem_t closed; /* posted when a connection is closed */
	unsigned accepted;
	struct buf seen; /* all requests; to be looked at after script_server_stop() */
};

/* path NULL: 127.0.0.1 and a port of its own. */
void script_server_start(struct script_server *s, const char *path, const struct script *scripts,
                         size_t count);
/* Wait until one more connection is closed. */
void script_server_wait_closed(struct script_server *s);
/* Ends it, also when connections of its script have not come. */
void script_server_stop(struct script_server *s);
void script_server_done(struct script_server *s);

#endif
