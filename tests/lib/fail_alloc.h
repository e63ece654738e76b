/*
 * fail_alloc: memory that runs out where a test says so.
 *
 * malloc, calloc, realloc, reallocarray and aligned_alloc of the test programs go through here (the
 * linker's --wrap, in the Makefile): those of lib/ and of the test itself, not those inside of
 * libc.  Each thread has its own count.
 */
#ifndef SHOAL_TESTS_LIB_FAIL_ALLOC_H
#define SHOAL_TESTS_LIB_FAIL_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The nth call from now on fails (1: the next one), and only that; 0: none does. */
void fail_alloc_at(uint64_t nth);

/* malloc() for what a test needs itself meanwhile: it neither counts nor fails. */
void *fail_alloc_spare(size_t n);

/* None fails any more.  Has one failed since fail_alloc_at()? */
bool fail_alloc_end(void);

#endif
