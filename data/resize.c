/* SPDX-License-Identifier: Apache-2.0 */
#include "data/resize.h"

#include "base/compiler.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "data/resize_impl.h"

#include <math.h>
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
    fv_free(r->memory);
    r->memory = fv_alloc(bytes);
    r->bytes = r->memory ? bytes : 0;
    return r->memory;
}

const fv_kernels *fv_resizer_kernels(fv_resizer *r)
{
    if (!r->kernels.normalize) fv_kernels_init(&r->kernels, fv_cpu_detect());
    return &r->kernels;
}

void fv_resize_pick(const fv_resize_job *job, const int *columns, const int *rows)
{
    uint8_t *out = job->out->data;
    const int left = fv_resize_held(job).x;
    for (int y = 0; y < job->window.height; y++) {
        const uint8_t *in = fv_resize_pixel(job, left, rows[y]);
        for (int x = 0; x < job->window.width; x++, out += 3)
            memcpy(out, in + (ptrdiff_t)(columns[x] - left) * 3, 3);
    }
}

static void copy_window(const fv_resize_job *job)
{
    const size_t bytes = (size_t)job->window.width * 3;
    for (int y = 0; y < job->window.height; y++) {
        const uint8_t *in = fv_resize_pixel(job, job->window.x, job->window.y + y);
        memcpy(job->out->data + (size_t)y * bytes, in, bytes);
    }
}

/* ---- Parts ---- */

/* How many input pixels beyond an output, on either side, its sum may see at scale 1. */
static double reach_of(fv_filter filter)
{
    static const double reach[] = {
        [FV_NEAREST] = 0.0, [FV_BILINEAR] = 1.0, [FV_BICUBIC] = 2.0, [FV_BOX] = 0.5,
        [FV_HAMMING] = 1.0, [FV_LANCZOS] = 3.0,  [FV_AREA] = 1.0
    };
    return reach[filter];
}

/* The inputs that the outputs [first, first + count) see. Two more, for what is rounded. */
static void find_reach(int *begin, int *length, int in, int out, fv_filter filter)
{
    const double scale = (double)in / out, more = reach_of(filter) * fmax(scale, 1.0) + 2.0;
    const double low = *begin * scale - more, high = ((double)*begin + *length) * scale + more;
    *begin = (int)fmax(0.0, floor(low));
    *length = (int)fmin(in, ceil(high)) - *begin;
}

fv_rect fv_resize_reach(const fv_resize_job *job)
{
    fv_rect r = job->window;
    if (!r.width && !r.height) r = (fv_rect){ 0, 0, job->width, job->height };
    find_reach(&r.x, &r.width, job->rect.width, job->width, job->filter);
    find_reach(&r.y, &r.height, job->rect.height, job->height, job->filter);
    r.x += job->rect.x;
    r.y += job->rect.y;
    return r;
}

fv_rect fv_resize_held(const fv_resize_job *job)
{
    const fv_rect h = job->held, r = job->rect;
    const int left = fv_max(0, h.x - r.x), top = fv_max(0, h.y - r.y);
    const int right = fv_min(r.width, h.x - r.x + h.width);
    const int bottom = fv_min(r.height, h.y - r.y + h.height);
    return (fv_rect){ left, top, right - left, bottom - top };
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
    const fv_rect r = job->rect, w = job->window, held = job->held;
    const bool whole = !held.width && !held.height;
    if (r.width < 1 || r.height < 1 || (whole && !inside(r, job->in->width, job->in->height))) {
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
    if (whole) return FV_OK;
    const fv_rect reach = fv_resize_reach(job);
    const fv_rect seen = { reach.x - held.x, reach.y - held.y, reach.width, reach.height };
    if (held.width != job->in->width || held.height != job->in->height ||
        !inside(seen, held.width, held.height)) {
        return fv_fail(err, FV_ERR_SHAPE,
                       "resize: of a picture %d x %d at (%d, %d) is held, %d x %d at (%d, %d) is"
                       " needed",
                       held.width, held.height, held.x, held.y, reach.width, reach.height, reach.x,
                       reach.y);
    }
    return FV_OK;
}

fv_status fv_resize(fv_resizer *r, const fv_resize_job *job, fv_error *err)
{
    fv_resize_job j = *job;
    if (!j.window.width && !j.window.height) j.window = (fv_rect){ 0, 0, j.width, j.height };
    FV_TRY(check(&j, err));
    if (!j.held.width) j.held = (fv_rect){ 0, 0, j.in->width, j.in->height };
    fv_resizer_kernels(r);
    FV_TRY(fv_picture_reserve(j.out, j.window.width, j.window.height, err));
    if (j.width == j.rect.width && j.height == j.rect.height) {
        copy_window(&j);
        return FV_OK;
    }
    if (j.profile == FV_PILLOW) return fv_resize_pillow(r, &j, err);
    if (j.filter == FV_AREA) return fv_resize_opencv_area(r, &j, err);
    return fv_resize_opencv(r, &j, err);
}
