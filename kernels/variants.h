/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/variants.h - one line per (family, instruction set).
 *
 * Each function overwrites its own entries of the table and leaves the others.
 */
#ifndef FV_KERNELS_VARIANTS_H
#define FV_KERNELS_VARIANTS_H

#include "kernels/kernels.h"

void fv_conv_scalar(fv_kernels *k);
void fv_depthwise_scalar(fv_kernels *k);
void fv_pool_scalar(fv_kernels *k);
void fv_norm_scalar(fv_kernels *k);
void fv_map_scalar(fv_kernels *k);
void fv_sgd_scalar(fv_kernels *k);
void fv_resize_scalar(fv_kernels *k);
void fv_image_scalar(fv_kernels *k);

void fv_conv_avx2(fv_kernels *k);
void fv_conv_pack_avx2(fv_kernels *k);
void fv_conv_weights_avx2(fv_kernels *k);
void fv_winograd_avx2(fv_kernels *k);
void fv_winograd_weights_avx2(fv_kernels *k);
void fv_depthwise_avx2(fv_kernels *k);
void fv_pool_avx2(fv_kernels *k);
void fv_norm_avx2(fv_kernels *k);
void fv_map_avx2(fv_kernels *k);
void fv_sgd_avx2(fv_kernels *k);
void fv_resize_avx2(fv_kernels *k);
void fv_area_avx2(fv_kernels *k);
void fv_image_avx2(fv_kernels *k);

void fv_conv_avx512(fv_kernels *k);
void fv_conv_pack_avx512(fv_kernels *k);
void fv_conv_weights_avx512(fv_kernels *k);
void fv_winograd_avx512(fv_kernels *k);
void fv_winograd_weights_avx512(fv_kernels *k);
void fv_depthwise_avx512(fv_kernels *k);
void fv_pool_avx512(fv_kernels *k);
void fv_norm_avx512(fv_kernels *k);
void fv_map_avx512(fv_kernels *k);
void fv_sgd_avx512(fv_kernels *k);
void fv_resize_avx512(fv_kernels *k);
void fv_area_avx512(fv_kernels *k);
void fv_image_avx512(fv_kernels *k);

#endif /* FV_KERNELS_VARIANTS_H */
