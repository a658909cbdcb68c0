/* SPDX-License-Identifier: Apache-2.0 */
#include "data/encode.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

/* Everything that libjpeg's callbacks need to reach. The library's structs come first, so that
 * a pointer to one of them is a pointer to the encoder. */
typedef struct encoder {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr out;
    jmp_buf failed;
    fv_error *err;
    fv_status status;
    uint8_t *bytes;
    size_t capacity;
} encoder;

static encoder *encoder_of(j_common_ptr jpeg) { return jpeg->client_data; }

static void fail(encoder *e, fv_status status, const char *why)
{
    e->status = fv_fail(e->err, status, "encode jpeg: %s", why);
    longjmp(e->failed, 1);
}

static void on_error(j_common_ptr jpeg)
{
    char message[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, message);
    fail(encoder_of(jpeg), FV_ERR_FORMAT, message);
}

static void on_message(j_common_ptr jpeg, int level)
{
    (void)jpeg;
    (void)level;
}

static void grow(encoder *e, size_t capacity)
{
    const size_t used = e->capacity;
    uint8_t *bytes = fv_alloc(capacity);
    if (!bytes) fail(e, FV_ERR_NOMEM, "out of memory");
    if (used) memcpy(bytes, e->bytes, used);
    fv_free(e->bytes);
    e->bytes = bytes;
    e->capacity = capacity;
    e->out.next_output_byte = bytes + used;
    e->out.free_in_buffer = capacity - used;
}

static void out_begin(j_compress_ptr jpeg) { grow(encoder_of((j_common_ptr)jpeg), 16384); }

/* libjpeg calls this with the whole block full, whatever free_in_buffer says. */
static boolean out_full(j_compress_ptr jpeg)
{
    encoder *e = encoder_of((j_common_ptr)jpeg);
    grow(e, 2 * e->capacity);
    return TRUE;
}

static void out_end(j_compress_ptr jpeg) { (void)jpeg; }

static void compress(encoder *e, const fv_picture *image, const fv_jpeg_options *options)
{
    struct jpeg_compress_struct *jpeg = &e->jpeg;
    jpeg_create_compress(jpeg);
    e->out = (struct jpeg_destination_mgr){ .init_destination = out_begin,
                                            .empty_output_buffer = out_full,
                                            .term_destination = out_end };
    jpeg->dest = &e->out;
    jpeg->image_width = (JDIMENSION)image->width;
    jpeg->image_height = (JDIMENSION)image->height;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, options->quality, TRUE);
    jpeg->comp_info[0].h_samp_factor = jpeg->comp_info[0].v_samp_factor =
        options->subsample ? 2 : 1;
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        JSAMPROW row = image->data + (size_t)jpeg->next_scanline * (size_t)image->width * 3;
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
}

fv_status fv_encode_jpeg(const fv_picture *image, const fv_jpeg_options *options, uint8_t **bytes,
                         size_t *size, fv_error *err)
{
    encoder *e = fv_alloc(sizeof *e);
    if (!e) return fv_fail(err, FV_ERR_NOMEM, "encode jpeg: out of memory");
    e->err = err;
    e->jpeg.err = jpeg_std_error(&e->errors);
    e->jpeg.client_data = e;
    e->errors.error_exit = on_error;
    e->errors.emit_message = on_message;
    if (!setjmp(e->failed)) {
        compress(e, image, options);
        *bytes = e->bytes;
        *size = e->capacity - e->out.free_in_buffer;
    } else {
        fv_free(e->bytes);
    }
    const fv_status status = e->status;
    jpeg_destroy_compress(&e->jpeg);
    fv_free(e);
    return status;
}
