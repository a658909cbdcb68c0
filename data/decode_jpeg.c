/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG through libjpeg's interface: accurate integer IDCT and fancy upsampling, what Pillow and
 * OpenCV use. Damage inside the data is decoded as well as it can be, as they do; a file that ends
 * too early is an error. */
#include "base/compiler.h"
#include "base/memory.h"
#include "data/decode_impl.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

enum {
    ROWS = 16,             /* per call of libjpeg */
    PIXELS_PER_BYTE = 512, /* a block of 64 costs at least one bit where Huffman codes are used */
    EXIF_MARKER = JPEG_APP0 + 1
};

/* All that lives across setjmp() is here and not in registers. */
typedef struct jpeg_job {
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    fv_picture *picture;
    uint8_t *cmyk; /* ROWS rows, for four components */
    const uint8_t *bytes;
    size_t size;
    const fv_decode_options *options;
    int orientation; /* 1 to 8, as EXIF counts; 1: as it lies */
    int scan;        /* the one at work, from 1 */
    int64_t visited; /* blocks of 64 coefficients, over all scans */
    fv_error *err;
    fv_status status;
} jpeg_job;

/* ---- Errors ---- */

static void leave(jpeg_job *job, fv_status status)
{
    job->status = status;
    longjmp(job->back, 1);
}

static void on_error(j_common_ptr cinfo)
{
    jpeg_job *job = cinfo->client_data;
    const int code = cinfo->err->msg_code;
    if (code == JERR_OUT_OF_MEMORY) {
        leave(job, fv_fail(job->err, FV_ERR_NOMEM, "jpeg: out of memory"));
    }
    if (code == JERR_NO_BACKING_STORE) {
        leave(job, fv_fail(job->err, FV_ERR_FORMAT, "jpeg: decoding it takes more than %d MiB",
                           FV_DECODE_MAX_MEGABYTES));
    }
    char text[JMSG_LENGTH_MAX];
    cinfo->err->format_message(cinfo, text);
    if (!isupper((unsigned char)text[1])) text[0] = (char)tolower((unsigned char)text[0]);
    leave(job, fv_fail(job->err, FV_ERR_FORMAT, "jpeg: %s", text));
}

/* Level -1 is a warning: damaged data. libjpeg goes on as if an end marker stood at the end of a
 * truncated file; the rest of the picture would be grey. */
static void on_message(j_common_ptr cinfo, int level)
{
    jpeg_job *job = cinfo->client_data;
    if (level >= 0) return;
    cinfo->err->num_warnings++;
    if (cinfo->err->msg_code == JWRN_JPEG_EOF) {
        leave(job, fv_fail(job->err, FV_ERR_FORMAT,
                           "jpeg: truncated: the file ends before the picture"));
    }
}

/* Each scan of a progressive file is a pass over all of its blocks: a few bytes, much time. */
static void on_progress(j_common_ptr cinfo)
{
    jpeg_job *job = cinfo->client_data;
    const struct jpeg_decompress_struct *c = &job->cinfo;
    if (c->input_scan_number == job->scan) return;
    job->scan = c->input_scan_number;
    if (job->scan > FV_DECODE_MAX_SCANS) {
        leave(job,
              fv_fail(job->err, FV_ERR_FORMAT, "jpeg: more than %d scans", FV_DECODE_MAX_SCANS));
    }
    job->visited += (int64_t)c->MCUs_per_row * c->MCU_rows_in_scan * c->blocks_in_MCU;
    if (job->visited > job->options->max_pixels / DCTSIZE2 * FV_DECODE_MAX_PASSES) {
        leave(job, fv_fail(job->err, FV_ERR_FORMAT,
                           "jpeg: %u x %u pixels in more than %d scans: that takes too long",
                           c->image_width, c->image_height, job->scan - 1));
    }
}

/* ---- EXIF ---- */

static unsigned read16(const uint8_t *p, bool big)
{
    return big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint32_t read32(const uint8_t *p, bool big)
{
    const uint32_t first = read16(p, big), second = read16(p + 2, big);
    return big ? first << 16 | second : second << 16 | first;
}

/* Tag 0x0112, a short, in the first directory of the TIFF structure in an APP1 segment. Whatever
 * is odd about it means: as it lies. */
static int find_orientation(jpeg_saved_marker_ptr marker)
{
    enum { HEADER = 6, ENTRY = 12, ORIENTATION = 0x0112, SHORT = 3 };
    for (; marker; marker = marker->next) {
        if (marker->data_length < HEADER + 8 || memcmp(marker->data, "Exif\0", HEADER) != 0)
            continue;
        const uint8_t *tiff = marker->data + HEADER;
        const size_t size = marker->data_length - HEADER;
        const bool big = tiff[0] == 'M';
        if (memcmp(tiff, big ? "MM\0*" : "II*\0", 4) != 0) return 1;
        const size_t directory = read32(tiff + 4, big);
        if (directory > size - 2) return 1;
        const size_t entries = read16(tiff + directory, big);
        for (size_t i = 0; i < entries; i++) {
            const size_t at = directory + 2 + i * ENTRY;
            if (at + ENTRY > size) return 1;
            if (read16(tiff + at, big) != ORIENTATION) continue;
            const unsigned value = read16(tiff + at + 8, big);
            return read16(tiff + at + 2, big) == SHORT && value >= 1 && value <= 8 ? (int)value : 1;
        }
        return 1;
    }
    return 1;
}

/* out(y, x) = in(sy, sx): 2 to 4 mirror, 5 to 8 exchange the axes too. */
static fv_status turn(fv_picture *picture, int orientation, fv_error *err)
{
    const int w = picture->width, h = picture->height;
    const bool swap = orientation >= 5;
    const bool mirror_x =
        orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool mirror_y =
        orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;

    fv_picture turned = { 0 };
    FV_TRY(fv_picture_reserve(&turned, swap ? h : w, swap ? w : h, err));
    uint8_t *out = turned.data;
    for (int y = 0; y < turned.height; y++) {
        for (int x = 0; x < turned.width; x++, out += 3) {
            const int u = swap ? y : x, v = swap ? x : y;
            const size_t sx = (size_t)(mirror_x ? w - 1 - u : u);
            const size_t sy = (size_t)(mirror_y ? h - 1 - v : v);
            memcpy(out, picture->data + (sy * (size_t)w + sx) * 3, 3);
        }
    }
    fv_picture_deinit(picture);
    *picture = turned;
    return FV_OK;
}

/* ---- Pixels ---- */

static int multiply_255(int a, int b)
{
    const int t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* Ink to light: R = (255 - K) - (255 - K) * C / 255. Adobe's files store 255 - ink. */
static void convert_cmyk(const uint8_t *in, uint8_t *out, int pixels, bool inverted)
{
    const int flip = inverted ? 255 : 0;
    for (int i = 0; i < pixels; i++, in += 4, out += 3) {
        const int light = 255 - (in[3] ^ flip);
        for (int c = 0; c < 3; c++) {
            out[c] = (uint8_t)(light - multiply_255(in[c] ^ flip, light));
        }
    }
}

/* Before anything as large as the picture is allocated. */
static fv_status check_claims(const jpeg_job *job)
{
    const struct jpeg_decompress_struct *c = &job->cinfo;
    FV_TRY(fv_decode_check_size(c->image_width, c->image_height, job->options, job->err));
    if (!c->arith_code &&
        (uint64_t)c->image_width * c->image_height / PIXELS_PER_BYTE > job->size) {
        return fv_fail(job->err, FV_ERR_FORMAT,
                       "jpeg: claims %u x %u pixels, but has only %zu bytes of data",
                       c->image_width, c->image_height, job->size);
    }
    return FV_OK;
}

static void read_rows(jpeg_job *job)
{
    struct jpeg_decompress_struct *c = &job->cinfo;
    const size_t row_bytes = (size_t)c->output_width * 3, cmyk_bytes = (size_t)c->output_width * 4;
    JSAMPROW rows[ROWS];
    while (c->output_scanline < c->output_height) {
        const JDIMENSION y = c->output_scanline;
        uint8_t *out = job->picture->data + y * row_bytes;
        const int wanted = fv_min(ROWS, (int)(c->output_height - y));
        for (int i = 0; i < wanted; i++) {
            rows[i] = job->cmyk ? job->cmyk + (size_t)i * cmyk_bytes : out + (size_t)i * row_bytes;
        }
        const int got = (int)jpeg_read_scanlines(c, rows, (JDIMENSION)wanted);
        for (int i = 0; i < got && job->cmyk; i++) {
            convert_cmyk(rows[i], out + (size_t)i * row_bytes, (int)c->output_width,
                         c->saw_Adobe_marker);
        }
    }
}

static void read_picture(jpeg_job *job)
{
    struct jpeg_decompress_struct *c = &job->cinfo;
    jpeg_create_decompress(c);
    c->mem->max_memory_to_use = (long)FV_DECODE_MAX_MEGABYTES << 20;
    c->progress = &job->progress;
    jpeg_mem_src(c, job->bytes, job->size);
    if (job->options->apply_exif) jpeg_save_markers(c, EXIF_MARKER, 0xffff);
    jpeg_read_header(c, TRUE);
    job->status = check_claims(job);
    if (job->status != FV_OK) return;
    if (job->options->apply_exif) job->orientation = find_orientation(c->marker_list);

    const bool four = c->num_components == 4;
    c->out_color_space = four ? JCS_CMYK : JCS_RGB;
    c->dct_method = JDCT_ISLOW;
    c->do_fancy_upsampling = TRUE;
    jpeg_start_decompress(c);
    job->status =
        fv_picture_reserve(job->picture, (int)c->output_width, (int)c->output_height, job->err);
    if (job->status == FV_OK && four) {
        job->cmyk = fv_alloc((size_t)c->output_width * 4 * ROWS);
        if (!job->cmyk) job->status = fv_fail(job->err, FV_ERR_NOMEM, "jpeg: out of memory");
    }
    if (job->status != FV_OK) return;
    read_rows(job);
    jpeg_finish_decompress(c);
}

fv_status fv_decode_jpeg(fv_picture *picture, const uint8_t *bytes, size_t size,
                         const fv_decode_options *options, fv_error *err)
{
    jpeg_job job = { .picture = picture,
                     .bytes = bytes,
                     .size = size,
                     .options = options,
                     .orientation = 1,
                     .err = err };
    job.cinfo.client_data = &job;
    job.cinfo.err = jpeg_std_error(&job.errors);
    job.errors.error_exit = on_error;
    job.errors.emit_message = on_message;
    job.progress.progress_monitor = on_progress;
    if (setjmp(job.back) == 0) read_picture(&job);
    jpeg_destroy_decompress(&job.cinfo);
    fv_free(job.cmyk);
    if (job.status == FV_OK && job.orientation != 1) {
        job.status = turn(picture, job.orientation, err);
    }
    return job.status;
}
