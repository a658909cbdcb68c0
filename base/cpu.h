/* SPDX-License-Identifier: Apache-2.0 */
/* base/cpu.h - what this processor can do. */
#ifndef FV_BASE_CPU_H
#define FV_BASE_CPU_H

#include "base/status.h"

enum fv_cpu {
    FV_CPU_SCALAR = 0,
    FV_CPU_AVX2 = 1 << 0,   /* AVX2 and FMA */
    FV_CPU_AVX512 = 1 << 1, /* AVX-512 F, BW, DQ and VL; implies FV_CPU_AVX2 */
};

/* A set of fv_cpu bits. Setting the environment variable FOVEA_CPU to "scalar",
 * "avx2" or "avx512" lowers the answer, for tests and benchmarks. */
unsigned fv_cpu_detect(void);

/* FV_ERR_CONFIG if FOVEA_CPU is set to anything else. */
fv_status fv_cpu_check(fv_error *err);

/* "AVX-512", "AVX2" or "scalar": the best of a set, for people. */
const char *fv_cpu_name(unsigned cpu);

/* The processor's own name, e.g. "AMD EPYC 9755", or "unknown processor". */
const char *fv_cpu_model(void);

#endif /* FV_BASE_CPU_H */
