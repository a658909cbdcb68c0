/* SPDX-License-Identifier: Apache-2.0 */
/* The picture in the making. It begins as the bytes of a file, of which only the header is read;
 * what has to be decoded is known when something needs pixels. */
#include "base/compiler.h"
#include "base/memory.h"
#include "data/transform_impl.h"

#include <string.h>

enum { KEPT_BYTES = 64 << 20 /* of a picture's memory from one picture to the next */ };

static void see_all(fv_pipeline_scratch *s, int width, int height)
{
    s->view = (fv_rect){ 0, 0, width, height };
    s->is_pending = s->mirror_x = s->mirror_y = false;
}

fv_status fv_pipeline_scratch_create(fv_pipeline_scratch **out, fv_error *err)
{
    *out = fv_alloc(sizeof(**out));
    return *out ? FV_OK : fv_fail(err, FV_ERR_NOMEM, "pipeline: out of memory");
}

void fv_pipeline_scratch_destroy(fv_pipeline_scratch *scratch)
{
    if (!scratch) return;
    fv_picture_deinit(&scratch->pictures[0]);
    fv_picture_deinit(&scratch->pictures[1]);
    fv_resizer_deinit(&scratch->resizer);
    fv_free(scratch);
}

fv_status fv_scratch_open(fv_pipeline_scratch *s, const uint8_t *bytes, size_t size,
                          const fv_decode_options *options, bool dct_scaling, fv_error *err)
{
    fv_decode_info info;
    s->current = 0;
    s->bytes = bytes;
    s->size = size;
    s->decoding = *options;
    FV_TRY(fv_decode_read_info(&info, bytes, size, options, err));
    s->may_shrink = dct_scaling && info.shrinks;
    see_all(s, info.width, info.height);
    return FV_OK;
}

void fv_scratch_close(fv_pipeline_scratch *s)
{
    for (int i = 0; i < 2; i++)
        if (s->pictures[i].capacity > KEPT_BYTES) fv_picture_deinit(&s->pictures[i]);
    if (s->resizer.bytes > KEPT_BYTES) fv_resizer_deinit(&s->resizer);
    s->bytes = NULL;
}

/* Of the bytes, the part that is needed; *part becomes what the current picture then holds. */
static fv_status decode(fv_pipeline_scratch *s, fv_rect *part, fv_error *err)
{
    const uint8_t *bytes = s->bytes;
    s->bytes = NULL;
    return fv_decode_part(&s->pictures[s->current], bytes, s->size, &s->decoding, part, err);
}

/* ---- Cropping and resizing ---- */

void fv_scratch_crop(fv_pipeline_scratch *s, int x, int y, int width, int height)
{
    s->view.x += s->mirror_x ? s->view.width - width - x : x;
    s->view.y += s->mirror_y ? s->view.height - height - y : y;
    s->view.width = width;
    s->view.height = height;
}

/* Has the picture decoded at a half, a quarter or an eighth if that is still no smaller than what
 * comes out; its sides are rounded up, the rect to the nearest pixels of it. */
static void shrink(fv_pipeline_scratch *s)
{
    fv_resize_job *job = &s->pending;
    const fv_rect r = job->rect;
    int by = 8;
    while (by > 1 && (r.width / by < job->width || r.height / by < job->height)) by /= 2;
    if (!s->may_shrink || by == 1) return;
    const int left = (r.x + by / 2) / by, top = (r.y + by / 2) / by;
    const int right = (r.x + r.width + by / 2) / by, bottom = (r.y + r.height + by / 2) / by;
    job->rect = (fv_rect){ left, top, right - left, bottom - top };
    s->decoding.shrink = by;
}

static fv_status resize(fv_pipeline_scratch *s, fv_error *err)
{
    fv_resize_job *job = &s->pending;
    const int next = 1 - s->current;
    job->in = &s->pictures[s->current];
    job->window = s->view;
    job->out = &s->pictures[next];
    if (s->bytes) {
        shrink(s);
        job->held = fv_resize_reach(job);
        FV_TRY(decode(s, &job->held, err));
    }
    FV_TRY(fv_resize(&s->resizer, job, err));
    s->current = next;
    s->is_pending = false;
    s->view = (fv_rect){ 0, 0, s->view.width, s->view.height };
    return FV_OK;
}

fv_status fv_scratch_settle(fv_pipeline_scratch *s, fv_error *err)
{
    if (s->is_pending) return resize(s, err);
    if (!s->bytes) return FV_OK;
    fv_rect part = s->view;
    FV_TRY(decode(s, &part, err));
    s->view.x -= part.x;
    s->view.y -= part.y;
    return FV_OK;
}

/* Copies what is seen, mirrored, so that it is the picture. */
static fv_status copy_view(fv_pipeline_scratch *s, fv_error *err)
{
    const fv_picture *in = &s->pictures[s->current];
    fv_picture *out = &s->pictures[1 - s->current];
    const fv_rect v = s->view;
    FV_TRY(fv_picture_reserve(out, v.width, v.height, err));
    uint8_t *q = out->data;
    for (int y = 0; y < v.height; y++) {
        const int row = v.y + (s->mirror_y ? v.height - 1 - y : y);
        for (int x = 0; x < v.width; x++, q += 3) {
            const int column = v.x + (s->mirror_x ? v.width - 1 - x : x);
            memcpy(q, in->data + ((size_t)row * (size_t)in->width + (size_t)column) * 3, 3);
        }
    }
    fv_scratch_replace(s);
    return FV_OK;
}

fv_status fv_scratch_pixels(fv_pipeline_scratch *s, fv_picture **pixels, fv_picture **next,
                            fv_error *err)
{
    FV_TRY(fv_scratch_settle(s, err));
    const fv_picture *p = &s->pictures[s->current];
    const bool whole = s->view.width == p->width && s->view.height == p->height;
    if (!whole || s->mirror_x || s->mirror_y) FV_TRY(copy_view(s, err));
    *pixels = &s->pictures[s->current];
    *next = &s->pictures[1 - s->current];
    return FV_OK;
}

void fv_scratch_replace(fv_pipeline_scratch *s)
{
    s->current = 1 - s->current;
    see_all(s, s->pictures[s->current].width, s->pictures[s->current].height);
}

/* A resize of mirrored pixels is not always the mirrored resize: they are mirrored for good. */
fv_status fv_scratch_resize(fv_pipeline_scratch *s, int width, int height, fv_profile profile,
                            fv_filter filter, fv_error *err)
{
    const bool mirrored = s->mirror_x || s->mirror_y;
    if (s->is_pending || mirrored) FV_TRY(fv_scratch_settle(s, err));
    if (mirrored) FV_TRY(copy_view(s, err));
    s->pending = (fv_resize_job){
        .rect = s->view, .width = width, .height = height, .profile = profile, .filter = filter
    };
    see_all(s, width, height);
    s->is_pending = true;
    return FV_OK;
}
