/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer's target for the decoders: whatever the bytes are, nothing breaks, and parts and the
 * header agree with the whole. Files are mutated so that the checksums of a PNG's chunks stay
 * right, for libpng reads nothing else. */
#include "data/decode.h"
#include "tests/fuzz/target.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

enum { MAX_PIXELS = 1 << 18, SIGNATURE = 8, CHUNK_FRAME = 12 };

static void require(bool condition)
{
    if (!condition) abort();
}

/* The part's pixels are those of the whole. */
static void compare(const fv_picture *whole, const fv_picture *part, fv_rect at)
{
    const size_t row = (size_t)at.width * 3, whole_row = (size_t)whole->width * 3;
    for (int y = 0; y < at.height; y++) {
        const uint8_t *wanted = whole->data + (size_t)(at.y + y) * whole_row + (size_t)at.x * 3;
        require(memcmp(part->data + (size_t)y * row, wanted, row) == 0);
    }
}

static void decode_part(const fv_picture *whole, const uint8_t *data, size_t size,
                        const fv_decode_options *options, uint32_t draw)
{
    fv_picture part = { 0 };
    const int w = whole->width, h = whole->height;
    const int x = (int)(draw % (unsigned)w), y = (int)(draw / 64 % (unsigned)h);
    const fv_rect asked = { x, y, 1 + (int)(draw / 4096 % (unsigned)(w - x)),
                            1 + (int)(draw / 262144 % (unsigned)(h - y)) };
    fv_rect got = asked;
    fv_error err = { 0 };
    require(fv_decode_part(&part, data, size, options, &got, &err) == FV_OK);
    require(got.x <= asked.x && got.y <= asked.y);
    require(got.x + got.width >= asked.x + asked.width);
    require(got.y + got.height >= asked.y + asked.height);
    compare(whole, &part, got);
    fv_picture_deinit(&part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint32_t draw = (uint32_t)crc32(0, data, (uInt)size);
    const fv_decode_options options = { .apply_exif = draw & 1,
                                        .max_pixels = MAX_PIXELS,
                                        .shrink = draw & 2 ? 1 << (draw >> 2 & 3) : 1 };
    fv_picture whole = { 0 };
    fv_decode_info info;
    fv_error err = { 0 };
    if (fv_decode(&whole, data, size, &options, &err) == FV_OK) {
        require(fv_decode_read_info(&info, data, size, &options, &err) == FV_OK);
        require(info.width == whole.width && info.height == whole.height);
        decode_part(&whole, data, size, &options, draw >> 4);
    } else {
        require(err.message[0] != '\0');
    }
    fv_picture_deinit(&whole);
    return 0;
}

static uint32_t read_big(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void mend_checksums(uint8_t *data, size_t size)
{
    for (size_t at = SIGNATURE; at + CHUNK_FRAME <= size;) {
        const size_t length = read_big(data + at);
        if (length > size - at - CHUNK_FRAME) return;
        uint8_t *sum = data + at + 8 + length;
        const uint32_t crc = (uint32_t)crc32(0, data + at + 4, (uInt)length + 4);
        for (int i = 0; i < 4; i++) sum[i] = (uint8_t)(crc >> (24 - 8 * i));
        at += CHUNK_FRAME + length;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 16 && size >= SIGNATURE && memcmp(data, "\x89PNG", 4) == 0)
        mend_checksums(data, size);
    return size;
}
