/*
 * helper: programs of ours that are not for people and not in the PATH, as git has its remotes.
 */
#ifndef SHOAL_TOOL_HELPER_H
#define SHOAL_TOOL_HELPER_H

#include "base/buf.h"
#include "base/err.h"

/*
 * The path of a helper program as a C string in *path (buf_done() it).  It lies beside the program
 * that runs: BIN/../libexec/shoal/NAME as installed, or BIN/../libexec/NAME as built, where BIN is
 * the directory of /proc/self/exe.  So a tool never runs another version's helper, nor one
 * that somebody put into the PATH.  ENOENT says where it was looked for.
 */
int tool_helper(const char *name, struct buf *path, struct err *e);

#endif
