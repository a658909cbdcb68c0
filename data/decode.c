/* SPDX-License-Identifier: Apache-2.0 */
#include "data/decode.h"

#include "base/compiler.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/decode_impl.h"

#include <string.h>

enum { DEFAULT_MAX_PIXELS = 178956970 };

/* ---- The picture ---- */

fv_status fv_picture_reserve(fv_picture *picture, int width, int height, fv_error *err)
{
    return fv_decode_reserve(picture, width, height, 0, err);
}

fv_status fv_decode_reserve(fv_picture *picture, int width, int height, size_t more, fv_error *err)
{
    if (width < 1 || height < 1) {
        return fv_fail(err, FV_ERR_SHAPE, "a picture of %d x %d pixels is empty", width, height);
    }
    const uint64_t pixels = (uint64_t)width * (uint64_t)height; /* < 2^62 */
    if (pixels > (SIZE_MAX - more) / 3) {
        return fv_fail(err, FV_ERR_NOMEM, "a picture of %d x %d pixels: out of memory", width,
                       height);
    }
    const size_t need = (size_t)pixels * 3 + more;
    if (need > picture->capacity) {
        fv_picture_deinit(picture);
        picture->data = fv_alloc(need);
        if (!picture->data) {
            return fv_fail(err, FV_ERR_NOMEM, "a picture of %d x %d pixels: out of memory", width,
                           height);
        }
        picture->capacity = need;
    }
    picture->width = width;
    picture->height = height;
    return FV_OK;
}

void fv_picture_deinit(fv_picture *picture)
{
    fv_free(picture->data);
    *picture = (fv_picture){ 0 };
}

/* ---- Telling formats apart ---- */

typedef struct signature {
    size_t offset, length;
    const char *bytes;
    const char *name;
} signature;

/* What is often found under a picture's name and is neither JPEG nor PNG. */
static const signature others[] = {
    { 0, 4, "GIF8", "a GIF file" },       { 0, 2, "BM", "a BMP file" },
    { 8, 4, "WEBP", "a WebP file" },      { 0, 4, "II*\0", "a TIFF file" },
    { 0, 4, "MM\0*", "a TIFF file" },     { 4, 8, "ftypavif", "an AVIF file" },
    { 4, 8, "ftypheic", "an HEIF file" }, { 4, 8, "ftypmif1", "an HEIF file" },
    { 4, 4, "jP  ", "a JPEG 2000 file" }, { 0, 2, "\xff\x0a", "a JPEG XL file" },
    { 0, 4, "8BPS", "a Photoshop file" }, { 0, 4, "%PDF", "a PDF file" },
    { 0, 2, "PK", "a zip archive" },      { 0, 2, "\x1f\x8b", "a gzip archive" },
};

static bool starts_with(const uint8_t *bytes, size_t size, size_t offset, const char *with,
                        size_t length)
{
    return size >= offset + length && memcmp(bytes + offset, with, length) == 0;
}

static bool is_text(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size && i < 256; i++) {
        const bool blank = bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == '\t';
        /* 0xf8 and above never stand in UTF-8. */
        if ((bytes[i] < ' ' && !blank) || bytes[i] == 127 || bytes[i] >= 0xf8) return false;
    }
    return true;
}

static fv_status fail_unknown(const uint8_t *bytes, size_t size, fv_error *err)
{
    if (size == 0) return fv_fail(err, FV_ERR_FORMAT, "empty file");
    const char *name = NULL;
    for (size_t i = 0; i < FV_ARRAY_LEN(others) && !name; i++) {
        const signature *s = &others[i];
        if (starts_with(bytes, size, s->offset, s->bytes, s->length)) name = s->name;
    }
    if (!name && is_text(bytes, size)) {
        size_t i = 0;
        while (i + 1 < size && bytes[i] <= ' ') i++;
        name = bytes[i] == '<' ? "a web page or XML" : "text";
    }
    if (name) {
        return fv_fail(err, FV_ERR_FORMAT, "this is %s: only JPEG and PNG are read", name);
    }
    if (size == 1) return fv_fail(err, FV_ERR_FORMAT, "neither JPEG nor PNG: a single byte");
    return fv_fail(err, FV_ERR_FORMAT, "neither JPEG nor PNG: it begins with the bytes %02x %02x",
                   bytes[0], bytes[1]);
}

fv_status fv_decode_check_size(uint64_t width, uint64_t height, const fv_decode_options *options,
                               fv_error *err)
{
    if (width == 0 || height == 0 || width > 0x7fffffff || height > 0x7fffffff ||
        width * height > (uint64_t)options->max_pixels) {
        return fv_fail(err, FV_ERR_FORMAT, "claims %llu x %llu pixels: the limit is %lld in all",
                       (unsigned long long)width, (unsigned long long)height,
                       (long long)options->max_pixels);
    }
    return FV_OK;
}

static fv_status decode(fv_decode_job job, fv_error *err)
{
    fv_decode_options o = job.options ? *job.options : (fv_decode_options){ 0 };
    if (o.max_pixels <= 0) o.max_pixels = DEFAULT_MAX_PIXELS;
    if (o.shrink <= 0) o.shrink = 1;
    job.options = &o;
    if (starts_with(job.bytes, job.size, 0, "\xff\xd8", 2)) return fv_decode_jpeg(&job, err);
    if (starts_with(job.bytes, job.size, 0, "\x89PNG", 4)) return fv_decode_png(&job, err);
    return fail_unknown(job.bytes, job.size, err);
}

fv_status fv_decode(fv_picture *picture, const uint8_t *bytes, size_t size,
                    const fv_decode_options *options, fv_error *err)
{
    return fv_decode_part(picture, bytes, size, options, NULL, err);
}

fv_status fv_decode_part(fv_picture *picture, const uint8_t *bytes, size_t size,
                         const fv_decode_options *options, fv_rect *part, fv_error *err)
{
    const fv_decode_job job = {
        .bytes = bytes, .size = size, .options = options, .picture = picture, .part = part
    };
    return decode(job, err);
}

fv_status fv_decode_read_info(fv_decode_info *info, const uint8_t *bytes, size_t size,
                              const fv_decode_options *options, fv_error *err)
{
    const fv_decode_job job = { .bytes = bytes, .size = size, .options = options, .info = info };
    return decode(job, err);
}

fv_status fv_decode_file(fv_picture *picture, const char *path, const fv_decode_options *options,
                         fv_error *err)
{
    char *bytes = NULL;
    size_t size = 0;
    FV_TRY(fv_file_read(path, FV_DECODE_MAX_FILE, &bytes, &size, err));
    fv_error why = { 0 };
    fv_status status = fv_decode(picture, (const uint8_t *)bytes, size, options, &why);
    if (status != FV_OK) status = fv_fail(err, status, "%s: %s", path, why.message);
    fv_free(bytes);
    return status;
}
