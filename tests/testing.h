/* SPDX-License-Identifier: Apache-2.0 */
/* tests/testing.h - what every test includes, and includes first. */
#ifndef FV_TESTS_TESTING_H
#define FV_TESTS_TESTING_H

/* cmocka.h needs the first four of these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/status.h"

/* Where tests that expect success point `err`. */
extern fv_error testing_err;

#ifdef __clang_analyzer__ /* which does not know that these end the test */
static inline bool testing_equal(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}
#undef fail_msg
#undef assert_true
#undef assert_non_null
#undef assert_int_equal
#undef assert_string_equal
#define fail_msg(...)             (print_error(__VA_ARGS__), __builtin_trap())
#define assert_true(condition)    ((condition) ? (void)0 : __builtin_trap())
#define assert_non_null(pointer)  assert_true((pointer) != NULL)
#define assert_int_equal(a, b)    assert_true((a) == (b))
#define assert_string_equal(a, b) assert_true(testing_equal(a, b))
#endif

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
