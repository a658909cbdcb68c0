/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"

#include "base/cpu.h"
#include "kernels/variants.h"

void fv_kernels_init(fv_kernels *k, unsigned cpu)
{
    k->cpu = cpu;
    fv_conv_scalar(k);
    fv_depthwise_scalar(k);
    fv_pool_scalar(k);
    fv_norm_scalar(k);
    fv_map_scalar(k);
    fv_sgd_scalar(k);
    fv_resize_scalar(k);
    fv_image_scalar(k);
#if defined(__x86_64__)
    if (cpu & FV_CPU_AVX2) {
        fv_conv_avx2(k);
        fv_conv_pack_avx2(k);
        fv_conv_weights_avx2(k);
        fv_winograd_avx2(k);
        fv_winograd_weights_avx2(k);
        fv_depthwise_avx2(k);
        fv_pool_avx2(k);
        fv_norm_avx2(k);
        fv_map_avx2(k);
        fv_sgd_avx2(k);
        fv_resize_avx2(k);
        fv_area_avx2(k);
        fv_image_avx2(k);
    }
    if (cpu & FV_CPU_AVX512) {
        fv_conv_avx512(k);
        fv_conv_pack_avx512(k);
        fv_conv_weights_avx512(k);
        fv_winograd_avx512(k);
        fv_winograd_weights_avx512(k);
        fv_depthwise_avx512(k);
        fv_pool_avx512(k);
        fv_norm_avx512(k);
        fv_map_avx512(k);
        fv_sgd_avx512(k);
        fv_resize_avx512(k);
        fv_area_avx512(k);
        fv_image_avx512(k);
    }
#endif
}
