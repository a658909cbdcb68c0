/* SPDX-License-Identifier: Apache-2.0 */
#include "data/inspect.h"

#include "base/compiler.h"

#include <string.h>
#include <strings.h>

/* What a name says, as far as it says anything. */
static bool is_misnamed(const char *name, fv_format format)
{
    static const char *const jpeg[] = { ".jpg", ".jpeg", ".jpe", ".jfif" };
    const char *dot = strrchr(name, '.');
    if (!dot) return false;
    if (strcasecmp(dot, ".png") == 0) return format != FV_PNG;
    for (size_t i = 0; i < FV_ARRAY_LEN(jpeg); i++)
        if (strcasecmp(dot, jpeg[i]) == 0) return format != FV_JPEG;
    return false;
}

static uint32_t find_oddities(const fv_decode_info *info, const char *name)
{
    const int shorter = fv_min(info->width, info->height);
    const int longer = fv_max(info->width, info->height);
    const bool found[FV_ODDITIES] = {
        [FV_ODD_EXTENSION] = is_misnamed(name, info->format),
        [FV_ODD_CMYK] = info->channels == 4,
        [FV_ODD_TURNED] = info->orientation != 1,
        [FV_ODD_BITS] = info->bits > 8,
        [FV_ODD_ANIMATED] = info->animated,
        [FV_ODD_ALPHA] = info->alpha,
        [FV_ODD_GREY] = info->channels == 1,
        [FV_ODD_TINY] =
            shorter<FV_TINY_SIDE, [FV_ODD_LONG] = longer>(int64_t) FV_LONG_ASPECT * shorter,
        [FV_ODD_HUGE] = (int64_t)info->width * info->height > FV_HUGE_PIXELS,
    };
    uint32_t bits = 0;
    for (int i = 0; i < FV_ODDITIES; i++) bits |= (uint32_t)found[i] << i;
    return bits;
}

static void sum_pixels(fv_inspection *out, const fv_picture *p)
{
    const size_t pixels = (size_t)p->width * (size_t)p->height;
    for (size_t i = 0; i < pixels; i++) {
        for (int c = 0; c < 3; c++) {
            const uint32_t value = p->data[3 * i + (size_t)c];
            out->sum[c] += value;
            out->squares[c] += value * value;
        }
    }
}

fv_status fv_inspect(fv_inspection *out, fv_picture *scratch, const char *name,
                     const uint8_t *bytes, size_t size, fv_error *err)
{
    fv_decode_info info;
    *out = (fv_inspection){ .file = fv_hash_bytes(bytes, size, 0) };
    FV_TRY(fv_decode_read_info(&info, bytes, size, NULL, err));
    out->width = info.width;
    out->height = info.height;
    out->oddities = find_oddities(&info, name);
    FV_TRY(fv_decode(scratch, bytes, size, NULL, err));
    if (scratch->damaged) out->oddities |= 1u << FV_ODD_DAMAGED;
    /* The width as the seed: another shape of the same bytes is another picture. */
    const size_t pixel_bytes = (size_t)scratch->width * (size_t)scratch->height * 3;
    out->pixels = fv_hash_bytes(scratch->data, pixel_bytes, (uint32_t)scratch->width);
    sum_pixels(out, scratch);
    return FV_OK;
}
