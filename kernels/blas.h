/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/blas.h - matrix products by OpenBLAS, single-threaded.
 *
 * OpenBLAS chooses its kernels and its number of threads in its constructor, from the environment,
 * and its choice is poor on processors younger than it is. So it is not linked but loaded, with
 * OPENBLAS_NUM_THREADS and, unless the user has set it, OPENBLAS_CORETYPE in the environment for
 * the moment of loading; afterwards they are as they were.
 */
#ifndef FV_KERNELS_BLAS_H
#define FV_KERNELS_BLAS_H

#include "base/status.h"

#include <stdbool.h>

/* Loads the library; only the first call does something. To be called before threads that read
 * the environment run. FV_ERR_IO: it is missing or lacks a function. */
fv_status fv_blas_open(fv_error *err);

/* Which of its kernels OpenBLAS uses, e.g. "SkylakeX"; "none" before fv_blas_open() succeeded. */
const char *fv_blas_core(void);

/* c[m,n] = alpha * op(a)[m,k] * op(b)[k,n] + beta * c, row major; op(x) is x transposed if tx.
 * The ld are floats between rows, as stored. beta = 0: c is not read. After fv_blas_open();
 * from any thread, and computed in it. */
void fv_blas_sgemm(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda,
                   const float *b, int ldb, float beta, float *c, int ldc);

#endif /* FV_KERNELS_BLAS_H */
