/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG through libjpeg's interface: accurate integer IDCT and fancy upsampling, what Pillow and
 * OpenCV use. Damage inside the data is decoded as well as it can be, as they do; a file that ends
 * too early is an error. */
#include "base/compiler.h"
#include "data/decode_impl.h"

#include <assert.h>
#include <ctype.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

enum {
    ROWS = 16,             /* per call of libjpeg */
    PIXELS_PER_BYTE = 512, /* a block of 64 costs at least one bit where Huffman codes are used */
    COLOUR_REACH = 4,      /* pixels on either side, from which colours are interpolated */
    EXIF_MARKER = JPEG_APP0 + 1
};

#define TRUNCATED "jpeg: truncated: the file ends before the picture"

/* All that lives across setjmp() is here and not in registers. */
typedef struct jpeg_job {
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    const fv_decode_job *asked;
    const fv_decode_options *options;
    uint8_t *lines;  /* ROWS rows from libjpeg, where they are not those of the picture; or NULL */
    int orientation; /* 1 to 8, as EXIF counts; 1: as it lies */
    int scan;        /* the one at work, from 1 */
    int64_t visited; /* blocks of 64 coefficients, over all scans */
    bool damaged;
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
    switch (cinfo->err->msg_code) {
    case JWRN_JPEG_EOF: leave(job, fv_fail(job->err, FV_ERR_FORMAT, TRUNCATED)); break;
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC: job->damaged = true; break;
    default: break; /* odd, but all of the picture is there */
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

/* Tag 0x0112, two bytes whatever its type says (as for OpenCV), in the first directory of the TIFF
 * structure in an APP1 segment. Whatever is odd about it means: as it lies. */
static int find_orientation(jpeg_saved_marker_ptr marker)
{
    enum { HEADER = 6, ENTRY = 12, ORIENTATION = 0x0112 };
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
            return value >= 1 && value <= 8 ? (int)value : 1;
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
    assert(out);
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
        (uint64_t)c->image_width * c->image_height / PIXELS_PER_BYTE > job->asked->size) {
        return fv_fail(job->err, FV_ERR_FORMAT,
                       "jpeg: claims %u x %u pixels, but has only %zu bytes of data",
                       c->image_width, c->image_height, job->asked->size);
    }
    return FV_OK;
}

/* Sets up libjpeg and reads the header. False: it cannot be read, see the status. */
static bool read_header(jpeg_job *job)
{
    struct jpeg_decompress_struct *c = &job->cinfo;
    jpeg_create_decompress(c);
    c->mem->max_memory_to_use = (long)FV_DECODE_MAX_MEGABYTES << 20;
    c->progress = &job->progress;
    jpeg_mem_src(c, job->asked->bytes, job->asked->size);
    const bool looks = job->options->apply_exif || job->asked->info;
    if (looks) jpeg_save_markers(c, EXIF_MARKER, 0xffff);
    jpeg_read_header(c, TRUE);
    job->status = check_claims(job);
    if (looks) job->orientation = find_orientation(c->marker_list);
    c->out_color_space = c->num_components == 4 ? JCS_CMYK : JCS_RGB;
    c->dct_method = JDCT_ISLOW;
    c->do_fancy_upsampling = TRUE;
    c->scale_denom = (unsigned)job->options->shrink;
    return job->status == FV_OK;
}

static void read_info(jpeg_job *job, fv_decode_info *info)
{
    jpeg_calc_output_dimensions(&job->cinfo);
    const int width = (int)job->cinfo.output_width, height = (int)job->cinfo.output_height;
    const bool swap = job->options->apply_exif && job->orientation >= 5;
    *info = (fv_decode_info){ .width = swap ? height : width,
                              .height = swap ? width : height,
                              .shrinks = true,
                              .format = FV_JPEG,
                              .channels = job->cinfo.num_components,
                              .bits = job->cinfo.data_precision,
                              .orientation = job->orientation };
}

/* ---- Parts ----
 *
 * Rows before the part need their codes read but no pixels, those behind it nothing, and of the
 * others only the blocks that the part touches are made. */

#if defined(LIBJPEG_TURBO_VERSION_NUMBER) && LIBJPEG_TURBO_VERSION_NUMBER >= 2000000
#define HAS_PARTS 1
#else
#define HAS_PARTS 0
#endif

/* A progressive file without all of its scans: libjpeg guesses what is missing of a block from the
 * blocks around it. */
static bool is_coarse(const struct jpeg_decompress_struct *c)
{
    enum { GUESSED = 10 }; /* coefficients, the first of them aside */
    for (int i = 0; i < c->num_components && c->coef_bits; i++)
        for (int k = 1; k < GUESSED; k++)
            if (c->coef_bits[i][k] != 0) return true; /* bits still to come; -1: all of them */
    return false;
}

/* Leaves to libjpeg the columns that the part needs, and those beside it from which colours are
 * interpolated. Returns the first of them. All columns if colours have less than half of the
 * columns or rows, or what is missing is guessed: then libjpeg would make other pixels. */
static int crop_columns(jpeg_job *job, const fv_rect *part)
{
    struct jpeg_decompress_struct *c = &job->cinfo;
#if HAS_PARTS
    const int first = fv_max(0, part->x - COLOUR_REACH);
    const int end = fv_min((int)c->output_width, part->x + part->width + COLOUR_REACH);
    JDIMENSION x = (JDIMENSION)first, width = (JDIMENSION)(end - first);
    if (width == c->output_width || is_coarse(c)) return 0;
    if (c->max_h_samp_factor > 2 || c->max_v_samp_factor > 2) return 0;
    jpeg_crop_scanline(c, &x, &width);
    return (int)x;
#else
    (void)c;
    (void)part;
    return 0;
#endif
}

static void skip_rows(jpeg_job *job, int count)
{
    struct jpeg_decompress_struct *c = &job->cinfo;
#if HAS_PARTS
    if (count > 0) jpeg_skip_scanlines(c, (JDIMENSION)count);
#endif
    while (c->output_scanline < (JDIMENSION)count) {
        JSAMPROW row = job->lines ? job->lines : job->asked->picture->data;
        jpeg_read_scanlines(c, &row, 1);
    }
}

/* What has not been read holds an end marker, unless it is all there is: then libjpeg would find
 * the file to be truncated. In the coded data of a scan 0xff 0xd9 is nothing else. */
static void check_end(jpeg_job *job)
{
    struct jpeg_decompress_struct *c = &job->cinfo;
    if (c->output_scanline == c->output_height) {
        jpeg_finish_decompress(c);
        return;
    }
    if (c->unread_marker == JPEG_EOI || jpeg_input_complete(c)) return;
    if (!memmem(c->src->next_input_byte, c->src->bytes_in_buffer, "\xff\xd9", 2)) {
        job->status = fv_fail(job->err, FV_ERR_FORMAT, TRUNCATED);
    }
}

/* Rows of the part, from lines that begin at column `left`. */
static void read_rows(jpeg_job *job, const fv_rect *part, int left)
{
    struct jpeg_decompress_struct *c = &job->cinfo;
    const size_t row_bytes = (size_t)part->width * 3, components = (size_t)c->output_components;
    const size_t line_bytes = (size_t)c->output_width * components;
    const size_t skipped = (size_t)(part->x - left) * components;
    const JDIMENSION end = (JDIMENSION)(part->y + part->height);
    uint8_t *out = job->asked->picture->data;
    assert(out);
    while (c->output_scanline < end) {
        JSAMPROW rows[ROWS];
        const int wanted = fv_min(ROWS, (int)(end - c->output_scanline));
        for (int i = 0; i < wanted; i++)
            rows[i] =
                job->lines ? job->lines + (size_t)i * line_bytes : out + (size_t)i * row_bytes;
        const int got = (int)jpeg_read_scanlines(c, rows, (JDIMENSION)wanted);
        for (int i = 0; i < got; i++, out += row_bytes) {
            const uint8_t *in = rows[i] + skipped;
            if (components == 4)
                convert_cmyk(in, out, part->width, c->saw_Adobe_marker);
            else if (job->lines)
                memcpy(out, in, row_bytes);
        }
    }
}

static void read_picture(jpeg_job *job)
{
    struct jpeg_decompress_struct *c = &job->cinfo;
    jpeg_start_decompress(c);
    const fv_rect all = { 0, 0, (int)c->output_width, (int)c->output_height };
    const bool whole = !job->asked->part || job->orientation != 1;
    const fv_rect part = whole ? all : *job->asked->part;
    const int left = whole ? 0 : crop_columns(job, &part);
    const bool direct = part.width == (int)c->output_width && c->output_components == 3;
    const size_t line_bytes = (size_t)c->output_width * (size_t)c->output_components;
    fv_picture *picture = job->asked->picture;
    job->status = fv_decode_reserve(picture, part.width, part.height,
                                    direct ? 0 : ROWS * line_bytes, job->err);
    if (job->status != FV_OK) return;
    if (!direct) job->lines = picture->data + (size_t)part.width * (size_t)part.height * 3;
    skip_rows(job, part.y);
    read_rows(job, &part, left);
    check_end(job);
}

static fv_status turn_all(jpeg_job *job)
{
    fv_picture *picture = job->asked->picture;
    FV_TRY(turn(picture, job->orientation, job->err));
    if (job->asked->part) *job->asked->part = (fv_rect){ 0, 0, picture->width, picture->height };
    return FV_OK;
}

fv_status fv_decode_jpeg(const fv_decode_job *asked, fv_error *err)
{
    jpeg_job job = { .asked = asked, .options = asked->options, .orientation = 1, .err = err };
    job.cinfo.client_data = &job;
    job.cinfo.err = jpeg_std_error(&job.errors);
    job.errors.error_exit = on_error;
    job.errors.emit_message = on_message;
    job.progress.progress_monitor = on_progress;
    if (setjmp(job.back) == 0 && read_header(&job)) {
        if (asked->info)
            read_info(&job, asked->info);
        else
            read_picture(&job);
    }
    jpeg_destroy_decompress(&job.cinfo);
    if (asked->info) return job.status;
    if (job.status == FV_OK && job.orientation != 1) job.status = turn_all(&job);
    asked->picture->damaged = job.damaged;
    return job.status;
}
