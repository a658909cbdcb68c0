/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

#include "base/compiler.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <pthread.h>

/* The compiler's builtin also asks whether the system saves the wide registers. */
static unsigned features(void)
{
    __builtin_cpu_init();
    unsigned cpu = FV_CPU_SCALAR;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) cpu |= FV_CPU_AVX2;
    if (cpu && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        cpu |= FV_CPU_AVX512;
    return cpu;
}

static char model[49]; /* 3 leaves of 16 bytes each */

/* Leaves 0x80000002 to 4 hold the name, often padded with blanks on either side. */
static void read_model(void)
{
    unsigned words[12] = { 0 };
    for (unsigned i = 0; i < 3; i++) {
        unsigned *w = words + (size_t)4 * i;
        if (!__get_cpuid(0x80000002u + i, &w[0], &w[1], &w[2], &w[3])) return;
    }
    const char *text = (const char *)words;
    size_t begin = 0, end = strnlen(text, sizeof(words));
    while (begin < end && text[begin] == ' ') begin++;
    while (end > begin && text[end - 1] == ' ') end--;
    memcpy(model, text + begin, end - begin);
}

const char *fv_cpu_model(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_model);
    return *model ? model : "unknown processor";
}
#else
static unsigned features(void) { return FV_CPU_SCALAR; }

const char *fv_cpu_model(void) { return "unknown processor"; }
#endif

unsigned fv_cpu_detect(void)
{
    const char *wanted = getenv("FOVEA_CPU");
    unsigned allowed = ~0u;
    if (wanted && strcmp(wanted, "scalar") == 0) allowed = FV_CPU_SCALAR;
    if (wanted && strcmp(wanted, "avx2") == 0) allowed = FV_CPU_AVX2;
    return features() & allowed;
}

fv_status fv_cpu_check(fv_error *err)
{
    static const char *const known[] = { "scalar", "avx2", "avx512" };
    const char *wanted = getenv("FOVEA_CPU");
    for (size_t i = 0; wanted && i < FV_ARRAY_LEN(known); i++)
        if (strcmp(wanted, known[i]) == 0) return FV_OK;
    if (!wanted) return FV_OK;
    return fv_fail(err, FV_ERR_CONFIG,
                   "FOVEA_CPU is \"%s\" in the environment; it can be scalar, avx2 or avx512, or "
                   "not be set",
                   wanted);
}

const char *fv_cpu_name(unsigned cpu)
{
    if (cpu & FV_CPU_AVX512) return "AVX-512";
    if (cpu & FV_CPU_AVX2) return "AVX2";
    return "scalar";
}
