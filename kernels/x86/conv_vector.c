/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_vector.c - convolution for one instruction set. */
#include "kernels/simd.h"
#include "kernels/variants.h"

void FV_VARIANT(fv_conv)(fv_kernels *k) { (void)k; }
