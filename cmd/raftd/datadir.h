/*
 * datadir: the directory of a node: its lock, and who the node is.
 *
 *	DIR/lock      held by the process that uses the directory; its text is that process's id
 *	DIR/identity  raftd 1, and on further lines cluster, node (16 hex digits each), uuid
 *	DIR/log/      the write-ahead log and the snapshots, raftd-format(5)
 */
#ifndef SHOAL_RAFTD_DATADIR_H
#define SHOAL_RAFTD_DATADIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

/* Codes of struct err. */
#define DATADIR_BUSY  1300 /* another process has it */
#define DATADIR_NEWER 1301 /* its identity is of a newer version, or no identity */

#define DATADIR_LOG "log"

struct datadir {
	int fd, lock;
	struct buf path; /* a C string */
	bool temporary;  /* removed by datadir_close() */
	bool fresh;      /* its identity was made just now */
	uint64_t cluster, node;
	unsigned char uuid[ID_LEN]; /* the node's, for people and for Consul's API */
};

/*
 * Open, or make, a directory; NULL path: a temporary one.  A new one gets a random identity: it is
 * the first node of a new cluster.
 */
int datadir_open(struct datadir *d, const char *path, struct err *e);
void datadir_close(struct datadir *d);

#endif
