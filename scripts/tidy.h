/*
 * For clang-tidy only (scripts/lint-tidy includes it first): what err.h says in words, that these
 * functions return -1, in a form that its analyser can see.
 */
#include "base/err.h"

#define err_set(...)  (err_set(__VA_ARGS__), -1)
#define err_sys(...)  (err_sys(__VA_ARGS__), -1)
#define err_wrap(...) (err_wrap(__VA_ARGS__), -1)
