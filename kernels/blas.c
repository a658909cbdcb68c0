/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/blas.h"

#include "base/cpu.h"

#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From the interface of CBLAS. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };
typedef void sgemm_fn(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a,
                      int lda, const float *b, int ldb, float beta, float *c, int ldc);
typedef char *core_name_fn(void);
typedef void set_threads_fn(int count);

static const char LIBRARY[] = "libopenblas.so.0";

/* Written once, under `once`. */
static struct {
    sgemm_fn *sgemm;
    core_name_fn *core_name;
    fv_error error;
} blas;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A variable of the environment, changed for a while. */
typedef struct setting {
    const char *name;
    char *before; /* owned; NULL: it was not set */
    bool changed;
} setting;

static bool setting_change(setting *s, const char *name, const char *value)
{
    const char *before = getenv(name);
    *s = (setting){ .name = name };
    if (before) {
        s->before = strdup(before);
        if (!s->before) return false;
    }
    s->changed = setenv(name, value, 1) == 0;
    return s->changed;
}

static void setting_restore(setting *s)
{
    if (s->changed && s->before) setenv(s->name, s->before, 1);
    if (s->changed && !s->before) unsetenv(s->name);
    free(s->before);
}

/* The kernels to ask for, or NULL where OpenBLAS chooses well: it knows the processors of Intel,
 * but takes any new one of AMD for a Haswell. */
static const char *core_wanted(void)
{
    const unsigned cpu = fv_cpu_detect();
    if (getenv("OPENBLAS_CORETYPE")) return NULL;
#if defined(__x86_64__)
    if (cpu & FV_CPU_AVX512) {
        __builtin_cpu_init();
        return __builtin_cpu_is("intel") ? NULL : "SkylakeX";
    }
#endif
    return cpu & FV_CPU_AVX2 ? "Haswell" : NULL;
}

static void *load(void)
{
    const char *core = core_wanted();
    setting threads = { 0 }, type = { 0 };
    void *library = NULL;
    if (setting_change(&threads, "OPENBLAS_NUM_THREADS", "1") &&
        (!core || setting_change(&type, "OPENBLAS_CORETYPE", core)))
        library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    else
        fv_fail(&blas.error, FV_ERR_NOMEM, "openblas: out of memory for its settings");
    setting_restore(&type);
    setting_restore(&threads);
    return library;
}

/* POSIX gives functions as void pointers; C forbids the cast but not the copy. */
static bool find(void *library, const char *name, void *function, size_t size)
{
    void *const symbol = dlsym(library, name);
    if (!symbol)
        fv_fail(&blas.error, FV_ERR_IO, "openblas: %s: it has no function %s", LIBRARY, name);
    else
        memcpy(function, &symbol, size);
    return symbol != NULL;
}

static void open_once(void)
{
    void *const library = load();
    set_threads_fn *set_threads = NULL;
    if (!library) {
        if (blas.error.status == FV_OK)
            fv_fail(&blas.error, FV_ERR_IO,
                    "openblas: %s cannot be loaded: install it (Debian: libopenblas0): %s", LIBRARY,
                    dlerror());
        return;
    }
    if (!find(library, "openblas_get_corename", &blas.core_name, sizeof(blas.core_name)) ||
        !find(library, "openblas_set_num_threads", &set_threads, sizeof(set_threads)) ||
        !find(library, "cblas_sgemm", &blas.sgemm, sizeof(blas.sgemm)))
        return;
    set_threads(1); /* builds that use OpenMP do not look at the variable */
}

fv_status fv_blas_open(fv_error *err)
{
    pthread_once(&once, open_once);
    if (blas.error.status == FV_OK) return FV_OK;
    return fv_fail(err, blas.error.status, "%s", blas.error.message);
}

const char *fv_blas_core(void) { return blas.sgemm ? blas.core_name() : "none"; }

/* NOLINTNEXTLINE(readability-function-size): the parameters are BLAS's */
void fv_blas_sgemm(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda,
                   const float *b, int ldb, float beta, float *c, int ldc)
{
    assert(blas.sgemm);
    blas.sgemm(ROW_MAJOR, ta ? TRANSPOSE : NO_TRANSPOSE, tb ? TRANSPOSE : NO_TRANSPOSE, m, n, k,
               alpha, a, lda, b, ldb, beta, c, ldc);
}
