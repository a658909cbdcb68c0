/* SPDX-License-Identifier: Apache-2.0 */
#include "data/thumbnail.h"

#include "base/file.h"
#include "base/memory.h"
#include "data/encode.h"
#include "data/resize.h"

static const size_t FILE_LIMIT = (size_t)256 << 20;

enum { QUALITY = 80 };

/* A JPEG is decoded small where that is enough: at least twice as large as it will be. */
static fv_status decode(fv_picture *out, const char *path, int side, fv_error *err)
{
    fv_decode_options options = { .apply_exif = true };
    fv_decode_info info;
    fv_error why;
    char *bytes;
    size_t size;
    FV_TRY(fv_file_read(path, FILE_LIMIT, &bytes, &size, err));
    const uint8_t *data = (const uint8_t *)bytes;
    fv_status status = fv_decode_read_info(&info, data, size, &options, &why);
    if (status == FV_OK) {
        for (int shrink = 2; shrink <= 8; shrink *= 2)
            if (info.shrinks && fv_max(info.width, info.height) >= 2 * side * shrink)
                options.shrink = shrink;
        status = fv_decode(out, data, size, &options, &why);
    }
    fv_free(bytes);
    if (status != FV_OK) return fv_fail(err, status, "%.400s: %s", path, why.message);
    return FV_OK;
}

static fv_status shrink(fv_picture *out, const fv_picture *in, int side, fv_error *err)
{
    const int longer = fv_max(in->width, in->height);
    const double scale = longer > side ? (double)side / longer : 1.0;
    fv_resizer resizer = { 0 };
    const fv_resize_job job = { .in = in,
                                .rect = { 0, 0, in->width, in->height },
                                .width = fv_max(1, (int)(in->width * scale + 0.5)),
                                .height = fv_max(1, (int)(in->height * scale + 0.5)),
                                .profile = FV_PILLOW,
                                .filter = FV_BICUBIC,
                                .out = out };
    const fv_status status = fv_resize(&resizer, &job, err);
    fv_resizer_deinit(&resizer);
    return status;
}

fv_status fv_thumbnail_make(fv_thumbnail *out, const char *path, int side, fv_error *err)
{
    fv_picture whole = { 0 }, small = { 0 };
    const fv_jpeg_options options = { .quality = QUALITY, .subsample = true };
    fv_thumbnail t = { 0 };
    fv_status status = decode(&whole, path, side, err);
    if (status == FV_OK) status = shrink(&small, &whole, side, err);
    if (status == FV_OK) status = fv_encode_jpeg(&small, &options, &t.bytes, &t.size, err);
    t.width = small.width;
    t.height = small.height;
    if (status == FV_OK) *out = t;
    fv_picture_deinit(&small);
    fv_picture_deinit(&whole);
    return status;
}

void fv_thumbnail_deinit(fv_thumbnail *t)
{
    fv_free(t->bytes);
    *t = (fv_thumbnail){ 0 };
}
