/* SPDX-License-Identifier: Apache-2.0 */
#include "data/resize.h"

#include "base/memory.h"
#include "data/resize_impl.h"

#include <string.h>

enum {
    MAX_SIDE = 1 << 24,    /* pixels of the whole result, of which perhaps a window is made */
    MAX_PIXELS = 178956970 /* of the window; as decoding */
};

static const char *const filter_names[] = { "nearest", "bilinear", "bicubic", "box",
                                            "hamming", "lanczos",  "area" };

const char *fv_profile_name(fv_profile profile)
{
    return profile == FV_PILLOW ? "pillow" : "opencv";
}

const char *fv_filter_name(fv_filter filter) { return filter_names[filter]; }

void fv_resizer_deinit(fv_resizer *r)
{
    fv_free(r->memory);
    *r = (fv_resizer){ 0 };
}

void *fv_resizer_reserve(fv_resizer *r, size_t bytes)
{
    if (bytes <= r->bytes) return r->memory;
    fv_resizer_deinit(r);
    r->memory = fv_alloc(bytes);
    if (r->memory) r->bytes = bytes;
    return r->memory;
}

void fv_resize_pick(const fv_resize_job *job, const int *columns, const int *rows)
{
    uint8_t *out = job->out->data;
    for (int y = 0; y < job->window.height; y++) {
        const uint8_t *in = fv_resize_row(job, rows[y]);
        for (int x = 0; x < job->window.width; x++, out += 3) memcpy(out, in + columns[x] * 3, 3);
    }
}

static void copy_window(const fv_resize_job *job)
{
    const size_t bytes = (size_t)job->window.width * 3;
    for (int y = 0; y < job->window.height; y++) {
        const uint8_t *in = fv_resize_row(job, job->window.y + y) + (size_t)job->window.x * 3;
        memcpy(job->out->data + (size_t)y * bytes, in, bytes);
    }
}

static bool inside(fv_rect r, int width, int height)
{
    return r.x >= 0 && r.y >= 0 && r.width >= 1 && r.height >= 1 && r.width <= width - r.x &&
           r.height <= height - r.y;
}

bool fv_profile_has(fv_profile profile, fv_filter filter)
{
    if (profile == FV_PILLOW) return filter <= FV_LANCZOS;
    return filter <= FV_BICUBIC || filter == FV_AREA;
}

static fv_status check(const fv_resize_job *job, fv_error *err)
{
    if (!fv_profile_has(job->profile, job->filter)) {
        return fv_fail(err, FV_ERR_CONFIG, "resize: profile %s has no filter %s",
                       fv_profile_name(job->profile), fv_filter_name(job->filter));
    }
    const fv_rect r = job->rect, w = job->window;
    if (!inside(r, job->in->width, job->in->height)) {
        return fv_fail(err, FV_ERR_SHAPE,
                       "resize: the part %d x %d at (%d, %d) is empty or not inside %d x %d",
                       r.width, r.height, r.x, r.y, job->in->width, job->in->height);
    }
    if (job->width < 1 || job->height < 1 || job->width > MAX_SIDE || job->height > MAX_SIDE) {
        return fv_fail(err, FV_ERR_SHAPE, "resize: cannot make %d x %d pixels: sides are 1 to %d",
                       job->width, job->height, (int)MAX_SIDE);
    }
    if (!inside(w, job->width, job->height)) {
        return fv_fail(err, FV_ERR_SHAPE,
                       "resize: the window %d x %d at (%d, %d) is empty or not inside %d x %d",
                       w.width, w.height, w.x, w.y, job->width, job->height);
    }
    if ((int64_t)w.width * w.height > MAX_PIXELS) {
        return fv_fail(err, FV_ERR_SHAPE,
                       "resize: %d x %d to %d x %d pixels: more than %d in all, crop first",
                       r.width, r.height, w.width, w.height, (int)MAX_PIXELS);
    }
    return FV_OK;
}

fv_status fv_resize(fv_resizer *r, const fv_resize_job *job, fv_error *err)
{
    fv_resize_job j = *job;
    if (!j.window.width && !j.window.height) j.window = (fv_rect){ 0, 0, j.width, j.height };
    FV_TRY(check(&j, err));
    FV_TRY(fv_picture_reserve(j.out, j.window.width, j.window.height, err));
    if (j.width == j.rect.width && j.height == j.rect.height) {
        copy_window(&j);
        return FV_OK;
    }
    if (j.profile == FV_PILLOW) return fv_resize_pillow(r, &j, err);
    if (j.filter == FV_AREA) return fv_resize_opencv_area(r, &j, err);
    return fv_resize_opencv(r, &j, err);
}
