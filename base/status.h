/* SPDX-License-Identifier: Apache-2.0 */
/* base/status.h - how failure is reported, everywhere.
 *
 * A function that can fail returns fv_status and takes an fv_error as its last
 * parameter. The status is for code, the message is for people. Nothing in the
 * library prints, aborts or exits.
 */
#ifndef FV_BASE_STATUS_H
#define FV_BASE_STATUS_H

#include "base/compiler.h"

#define FV_STATUS_LIST(X) \
    X(FV_OK, "success") \
    X(FV_ERR_NOMEM, "out of memory") \
    X(FV_ERR_IO, "input/output failure") \
    X(FV_ERR_CONFIG, "invalid configuration") \
    X(FV_ERR_SHAPE, "incompatible shapes") \
    X(FV_ERR_FORMAT, "malformed file") \
    X(FV_ERR_NUMERIC, "not a finite number") \
    X(FV_ERR_INTERRUPTED, "interrupted")

typedef enum fv_status {
#define X(name, text) name,
    FV_STATUS_LIST(X)
#undef X
} fv_status;

/* A failure, described. Lives on the caller's stack: reporting never allocates. */
typedef struct fv_error {
    fv_status status;
    char message[512]; /* one line, no newline, e.g. "a.yaml:7: unknown key" */
} fv_error;

/* "out of memory" for FV_ERR_NOMEM, and so on. Never NULL. */
const char *fv_status_text(fv_status status);

/* Fills `err` (which may be NULL) and returns `status`, so that a failing
 * function reads: return fv_fail(err, FV_ERR_IO, "%s: %s", path, why); */
fv_status fv_fail(fv_error *err, fv_status status, const char *format, ...) FV_PRINTF(3, 4);
#ifdef __clang_analyzer__ /* which does not see through the call */
#define fv_fail(err, status_, ...) ((fv_fail)(err, status_, __VA_ARGS__), (status_))
#endif

/* Returns from the enclosing function if `expr` failed. Only where there is
 * nothing to clean up; otherwise use `goto out` and one label. */
#define FV_TRY(expr) \
    do { \
        const fv_status fv_try_status = (expr); \
        if (fv_try_status != FV_OK) return fv_try_status; \
    } while (0)

#endif /* FV_BASE_STATUS_H */
