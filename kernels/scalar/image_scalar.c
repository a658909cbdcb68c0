/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures to floats: the definition. */
#include "kernels/image_pixel.h"
#include "kernels/variants.h"

static void normalize(const fv_normalize *j)
{
    for (int y = 0; y < j->height; y++)
        for (int x = 0; x < j->width; x++) fv_normalize_pixel(j, y, x);
}

void fv_image_scalar(fv_kernels *k) { k->normalize = normalize; }
