/* SPDX-License-Identifier: Apache-2.0 */
/* PNG through libpng: every colour type becomes 8-bit RGB; gamma and colour profiles are ignored,
 * as Pillow and OpenCV ignore them. */
#include "data/decode_impl.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

enum {
    CHUNK_LIMIT = 8 << 20, /* bytes of one chunk beside the pixels */
    DEFLATE_RATIO = 1032   /* no deflate stream unpacks to more than so many times its size */
};

static const png_byte ANIMATION[] = "acTL"; /* stands before the pixels of an animated PNG */

/* All that lives across setjmp() is here and not in registers. */
typedef struct png_job {
    const fv_decode_job *asked;
    const uint8_t *next, *end;
    png_structp png;
    png_infop info;
    fv_error *err;
    fv_status status;
} png_job;

static void on_error(png_structp png, png_const_charp message)
{
    png_job *job = png_get_error_ptr(png);
    if (job->status == FV_OK) {
        job->status = fv_fail(job->err, FV_ERR_FORMAT, "png: %s", message);
    }
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void read_bytes(png_structp png, png_bytep out, size_t count)
{
    png_job *job = png_get_io_ptr(png);
    if ((size_t)(job->end - job->next) < count) {
        job->status = fv_fail(job->err, FV_ERR_FORMAT, "png: truncated: the file ends too early");
        png_longjmp(png, 1);
    }
    memcpy(out, job->next, count);
    job->next += count;
}

/* Before anything as large as the picture is allocated. */
static fv_status check_claims(const png_job *job, png_uint_32 width, png_uint_32 height)
{
    FV_TRY(fv_decode_check_size(width, height, job->asked->options, job->err));
    const uint64_t packed = (uint64_t)png_get_rowbytes(job->png, job->info) * height;
    if (packed / DEFLATE_RATIO > job->asked->size) {
        return fv_fail(job->err, FV_ERR_FORMAT,
                       "png: claims %u x %u pixels, but has only %zu bytes of data", width, height,
                       job->asked->size);
    }
    return FV_OK;
}

static void read_info(const png_job *job, fv_decode_info *info)
{
    const int type = png_get_color_type(job->png, job->info);
    const int bits = png_get_bit_depth(job->png, job->info);
    png_unknown_chunkp kept = NULL;
    *info = (fv_decode_info){
        .width = (int)png_get_image_width(job->png, job->info),
        .height = (int)png_get_image_height(job->png, job->info),
        .format = FV_PNG,
        .channels = type & PNG_COLOR_MASK_COLOR ? 3 : 1,
        .bits = type & PNG_COLOR_MASK_PALETTE ? 8 : bits,
        .orientation = 1,
        .alpha = (type & PNG_COLOR_MASK_ALPHA) || png_get_valid(job->png, job->info, PNG_INFO_tRNS),
        .animated = png_get_unknown_chunks(job->png, job->info, &kept) > 0,
    };
}

static void set_transforms(png_structp png, png_infop info)
{
    const int type = png_get_color_type(png, info);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (!(type & PNG_COLOR_MASK_COLOR)) {
        png_set_expand_gray_1_2_4_to_8(png);
        png_set_gray_to_rgb(png);
    }
    png_set_strip_16(png);
    png_set_strip_alpha(png);
}

static void read_picture(png_job *job)
{
    png_structp png = job->png;
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    png_set_chunk_cache_max(png, 128);
    png_set_chunk_malloc_max(png, CHUNK_LIMIT);
    png_set_read_fn(png, job, read_bytes);
    if (job->asked->info) png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_ALWAYS, ANIMATION, 1);
    png_read_info(png, job->info);

    const png_uint_32 width = png_get_image_width(png, job->info);
    const png_uint_32 height = png_get_image_height(png, job->info);
    job->status = check_claims(job, width, height);
    if (job->status != FV_OK) return;
    if (job->asked->info) {
        read_info(job, job->asked->info);
        return;
    }
    fv_picture *picture = job->asked->picture;
    job->status = fv_picture_reserve(picture, (int)width, (int)height, job->err);
    if (job->status != FV_OK) return;
    if (job->asked->part) *job->asked->part = (fv_rect){ 0, 0, (int)width, (int)height };

    set_transforms(png, job->info);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, job->info);
    const size_t row_bytes = (size_t)width * 3;
    if (png_get_rowbytes(png, job->info) != row_bytes) png_error(png, "unexpected row size");
    for (int pass = 0; pass < passes; pass++) {
        for (png_uint_32 y = 0; y < height; y++) {
            png_read_row(png, picture->data + y * row_bytes, NULL);
        }
    }
    png_read_end(png, NULL);
}

fv_status fv_decode_png(const fv_decode_job *asked, fv_error *err)
{
    png_job job = {
        .asked = asked, .next = asked->bytes, .end = asked->bytes + asked->size, .err = err
    };
    job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    if (!job.png) return fv_fail(err, FV_ERR_NOMEM, "png: out of memory");
    job.info = png_create_info_struct(job.png);
    if (!job.info) {
        job.status = fv_fail(err, FV_ERR_NOMEM, "png: out of memory");
    } else if (setjmp(png_jmpbuf(job.png)) == 0) {
        read_picture(&job);
    }
    png_destroy_read_struct(&job.png, &job.info, NULL);
    if (!asked->info) asked->picture->damaged = false;
    return job.status;
}
