/* SPDX-License-Identifier: Apache-2.0 */
/* tests/odd_pictures.h - files as fv_encode_jpeg() and fv_encode_png() do not make them. */
#ifndef FV_TESTS_ODD_PICTURES_H
#define FV_TESTS_ODD_PICTURES_H

#include "testing.h"

#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <png.h>

/* A file in memory; free() its data. */
typedef struct odd_file {
    uint8_t *data;
    size_t size;
} odd_file;

enum { ODD_WIDTH = 48, ODD_HEIGHT = 40 };

/* A JPEG of so many components, with a pattern on it. */
static inline odd_file odd_jpeg(int components, J_COLOR_SPACE space)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *out = NULL;
    unsigned long size = 0;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &out, &size);
    c.image_width = ODD_WIDTH;
    c.image_height = ODD_HEIGHT;
    c.input_components = components;
    c.in_color_space = space;
    jpeg_set_defaults(&c);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height) {
        uint8_t row[4 * ODD_WIDTH];
        for (int i = 0; i < components * ODD_WIDTH; i++)
            row[i] = (uint8_t)(i * 7 + (int)c.next_scanline * 5);
        JSAMPROW rows[1] = { row };
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return (odd_file){ out, size };
}

/* The same with EXIF data that tell the orientation. */
static inline odd_file odd_turned(int orientation)
{
    const uint8_t exif[] = { 0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,
                             'M',  'M',  0, 42, 0,   0,   0,   8,   0, 1,
                             1,    0x12, 0, 3,  0,   0,   0,   1,   0, (uint8_t)orientation,
                             0,    0,    0, 0,  0,   0 };
    const odd_file plain = odd_jpeg(3, JCS_RGB);
    odd_file file = { malloc(plain.size + sizeof(exif)), plain.size + sizeof(exif) };
    assert_non_null(file.data);
    memcpy(file.data, plain.data, 2);
    memcpy(file.data + 2, exif, sizeof(exif));
    memcpy(file.data + 2 + sizeof(exif), plain.data + 2, plain.size - 2);
    free(plain.data);
    return file;
}

static inline void odd_append(png_structp png, png_bytep data, size_t size)
{
    odd_file *file = png_get_io_ptr(png);
    file->data = realloc(file->data, file->size + size);
    assert_non_null(file->data);
    memcpy(file->data + file->size, data, size);
    file->size += size;
}

static inline void odd_flush(png_structp png) { (void)png; }

/* A PNG; `type` is PNG_COLOR_TYPE_*. */
static inline odd_file odd_png(int depth, int type, bool animated)
{
    static const png_color palette[2] = { { 1, 2, 3 }, { 40, 50, 60 } };
    static const png_byte one_frame[8] = { 0, 0, 0, 1 };
    odd_file file = { 0 };
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &file, odd_append, odd_flush);
    png_set_IHDR(png, info, ODD_WIDTH, ODD_HEIGHT, depth, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 2);
    png_write_info(png, info);
    if (animated) png_write_chunk(png, (png_const_bytep) "acTL", one_frame, sizeof(one_frame));
    for (int y = 0; y < ODD_HEIGHT; y++) {
        uint8_t row[8 * ODD_WIDTH] = { 0 };
        if (type != PNG_COLOR_TYPE_PALETTE)
            for (int i = 0; i < 8 * ODD_WIDTH; i++) row[i] = (uint8_t)(i * 3 + y);
        png_write_row(png, row);
    }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    return file;
}

#endif /* FV_TESTS_ODD_PICTURES_H */
