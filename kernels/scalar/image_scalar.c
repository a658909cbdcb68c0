/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures to floats: the definition. */
#include "kernels/image_pixel.h"
#include "kernels/variants.h"

/* There are but 256 bytes: what becomes of each is computed once. */
static void normalize(const fv_normalize *j)
{
    float values[FV_IMAGE_CHANNELS][256];
    for (int c = 0; c < FV_IMAGE_CHANNELS; c++)
        for (int byte = 0; byte < 256; byte++) values[c][byte] = fv_normalize_value(j, c, byte);

    const int red = j->swap ? 2 : 0, column = j->mirror ? j->width - 1 : 0;
    const ptrdiff_t step = j->mirror ? -FV_IMAGE_CHANNELS : FV_IMAGE_CHANNELS;
    float *out = j->out;
    for (int y = 0; y < j->height; y++) {
        const uint8_t *in = j->in + y * j->in_stride + (ptrdiff_t)column * FV_IMAGE_CHANNELS;
        for (int x = 0; x < j->width; x++, in += step, out += FV_IMAGE_CHANNELS) {
            out[0] = values[0][in[red]];
            out[1] = values[1][in[1]];
            out[2] = values[2][in[2 - red]];
        }
    }
}

void fv_image_scalar(fv_kernels *k) { k->normalize = normalize; }
