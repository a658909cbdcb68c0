/* SPDX-License-Identifier: Apache-2.0 */
/* tests/testing.h - what every test includes, and includes first. */
#ifndef FV_TESTS_TESTING_H
#define FV_TESTS_TESTING_H

/* cmocka.h needs these four before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/status.h"

/* Where tests that expect success point `err`. */
extern fv_error testing_err;

/* Fails with the library's own message. */
#define assert_ok(call) \
    do { \
        if ((call) != FV_OK) fail_msg("%s: %s", #call, testing_err.message); \
    } while (0)

/* Fills with [-1, 1), the same numbers on every machine. */
void testing_fill(const char *name, float *x, size_t n);

/* Path of a file of the shared assets ("assets/clothing160"), or NULL after a line that says that
 * the test is skipped because they are absent: then call skip(). They lie beside the checkout, in
 * ../shared, or where FOVEA_SHARED says. */
const char *testing_shared(const char *name);

/* A folder for the test's own files, made anew, removed at exit. */
const char *testing_folder(void);

#endif /* FV_TESTS_TESTING_H */
