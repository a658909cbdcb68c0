/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "data/encode.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

/* All that lives across setjmp() is here and not in registers. */
typedef struct encoder {
    png_structp png;
    png_infop info;
    uint8_t *bytes;
    size_t used, capacity;
    fv_error *err;
    fv_status status;
} encoder;

static void fail(encoder *e, fv_status status, const char *why)
{
    if (e->status == FV_OK) e->status = fv_fail(e->err, status, "encode png: %s", why);
    png_longjmp(e->png, 1);
}

static void on_error(png_structp png, png_const_charp message)
{
    fail(png_get_error_ptr(png), FV_ERR_FORMAT, message);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void put(png_structp png, png_bytep data, size_t bytes)
{
    encoder *e = png_get_io_ptr(png);
    if (e->capacity - e->used < bytes) {
        const size_t capacity = 2 * e->capacity + bytes + 65536;
        uint8_t *grown = fv_alloc(capacity);
        if (!grown) fail(e, FV_ERR_NOMEM, "out of memory");
        if (e->used) memcpy(grown, e->bytes, e->used);
        fv_free(e->bytes);
        e->bytes = grown;
        e->capacity = capacity;
    }
    memcpy(e->bytes + e->used, data, bytes);
    e->used += bytes;
}

static void flush(png_structp png) { (void)png; }

static void write_picture(encoder *e, const fv_picture *image)
{
    png_set_write_fn(e->png, e, put, flush);
    png_set_IHDR(e->png, e->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(e->png, e->info);
    for (int y = 0; y < image->height; y++)
        png_write_row(e->png, image->data + (size_t)y * (size_t)image->width * 3);
    png_write_end(e->png, e->info);
}

fv_status fv_encode_png(const fv_picture *image, uint8_t **bytes, size_t *size, fv_error *err)
{
    encoder e = { .err = err };
    e.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &e, on_error, on_warning);
    if (!e.png) return fv_fail(err, FV_ERR_NOMEM, "encode png: out of memory");
    e.info = png_create_info_struct(e.png);
    if (!e.info) {
        e.status = fv_fail(err, FV_ERR_NOMEM, "encode png: out of memory");
    } else if (setjmp(png_jmpbuf(e.png)) == 0) {
        write_picture(&e, image);
    }
    png_destroy_write_struct(&e.png, &e.info);
    if (e.status == FV_OK) {
        *bytes = e.bytes;
        *size = e.used;
    } else {
        fv_free(e.bytes);
    }
    return e.status;
}
