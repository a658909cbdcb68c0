/* SPDX-License-Identifier: Apache-2.0 */
/* bench/bench_peak.h - what the machine could do at best, measured. */
#ifndef FV_BENCH_PEAK_H
#define FV_BENCH_PEAK_H

/* Single-precision FLOP per second of one thread with the best of a set of fv_cpu bits:
 * multiply-adds on registers alone, each counted as two. The best of several runs. */
double bench_peak_flops(unsigned cpu);

/* Bytes per second that one thread reads from memory, out of reach of any cache. 0 without
 * memory. */
double bench_read_bytes(void);

#endif /* FV_BENCH_PEAK_H */
