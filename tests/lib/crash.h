/*
 * crash: what the programs of tests/crash have in common, which start processes and kill them.
 *
 * They have no cmocka: what is wrong ends the program by crash_die().  Processes that are started
 * here are killed when the one that started them ends, so that none is left behind.
 */
#ifndef SHOAL_TESTS_LIB_CRASH_H
#define SHOAL_TESTS_LIB_CRASH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The program's directory, which is kept after a failure.  A program that starts itself tells that
 * process, which sets it.
 */
extern const char *crash_dir;

void crash_dir_new(void);
void crash_dir_free(void);

/* "not ok - MESSAGE (kept in DIR)" and the end of this process. */
_Noreturn void crash_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* How often to do it. */
struct crash_counts {
	unsigned usual, soak, sanitized;
};

/* argv[1], or what the environment asks for. */
unsigned crash_rounds(int argc, char **argv, const struct crash_counts *counts);

/* For the moment of a kill, or between two looks at a condition. */
void crash_nap_us(uint64_t us);

/* Zeroed memory that processes forked from now on share; it outlives them. */
void *crash_share(size_t size);

void crash_write_file(const char *path, const char *text);

/* fork(): 0 in the child. */
pid_t crash_fork(void);

/*
 * Start a program: its errors are added to a file (NULL: they are ours), its output goes to a pipe
 * whose reading end is *ret_out (NULL: it is ours).
 */
pid_t crash_start(const char *const *argv, const char *errors, int *ret_out);

/* Wait for the end: the status as of waitpid(2). */
int crash_wait(pid_t pid);

/* Kill a process that must still be there, called `who`, and wait. */
void crash_kill(pid_t pid, const char *who);

/* One of the children of a process, or 0. */
pid_t crash_child_of(pid_t pid, uint64_t choice);

#endif
