/* SPDX-License-Identifier: Apache-2.0 */
/* base/roofline.h - what the machine could do at best, measured.
 *
 * Work of f floating-point operations on b bytes takes at least max(f / flops, b / bytes): the
 * roofline (Williams, Waterman, Patterson, CACM 52(4), 2009). Work whose data is in a cache
 * already may need less time than its bytes say.
 */
#ifndef FV_BASE_ROOFLINE_H
#define FV_BASE_ROOFLINE_H

#include "base/status.h"

typedef struct fv_roofline {
    double flops; /* per second: single-precision multiply-adds on registers, each counted as two */
    double bytes; /* per second: read from memory, out of reach of most caches */
} fv_roofline;

/* Measures what fv_threads_count() threads reach, all at work, with a set of fv_cpu bits, in half a
 * second or so. Needs 256 MiB for that long. */
fv_status fv_roofline_measure(fv_roofline *out, unsigned cpu, fv_error *err);

/* The least seconds that work of so many operations and bytes takes. */
double fv_roofline_seconds(const fv_roofline *roofline, double flops, double bytes);

#endif /* FV_BASE_ROOFLINE_H */
