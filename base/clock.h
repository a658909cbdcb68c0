/* SPDX-License-Identifier: Apache-2.0 */
/* base/clock.h - time that only goes forward. */
#ifndef FV_BASE_CLOCK_H
#define FV_BASE_CLOCK_H

double fv_clock_seconds(void); /* monotonic, from an arbitrary start */

#endif /* FV_BASE_CLOCK_H */
