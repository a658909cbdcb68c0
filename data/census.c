/* SPDX-License-Identifier: Apache-2.0 */
#include "data/census.h"

#include "base/compiler.h"
#include "base/threads.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 1024,          /* pictures between two sums */
    KEPT_BYTES = 64 << 20, /* of a picture's memory from one picture to the next */
    LONG_REASON = 300      /* bytes */
};

/* One picture of the block at work. */
typedef struct slot {
    fv_inspection found;
    size_t bytes;
    bool readable;
    char reason[LONG_REASON];
} slot;

typedef struct work {
    fv_census *census;
    const fv_census_options *options;
    slot *slots;         /* [BLOCK] */
    fv_picture *scratch; /* [threads] */
    int64_t first;       /* of the block */
    atomic_llong done;
    double sum[3], squares[3]; /* over pictures, of their means */
} work;

/* ---- One picture ---- */

static bool is_stopped(const work *w) { return w->options->stop && *w->options->stop; }

/* Messages of the file's own begin with its path, which is known. */
static void set_reason(const work *w, int64_t i, slot *s, const fv_error *why)
{
    char path[4096];
    const char *text = why->message;
    fv_error ignored;
    if (fv_dataset_path(w->census->dataset, i, path, sizeof(path), &ignored) == FV_OK) {
        const size_t length = strlen(path);
        if (strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0)
            text += length + 2;
    }
    const size_t bytes = strlen(text);
    memcpy(s->reason, text, bytes < LONG_REASON ? bytes : LONG_REASON - 1);
}

static void inspect(void *ctx, int task, int worker)
{
    work *w = ctx;
    slot *s = &w->slots[task];
    const int64_t i = w->first + task;
    fv_picture *scratch = &w->scratch[worker];
    fv_error why;
    char *bytes = NULL;
    if (is_stopped(w)) return;
    *s = (slot){ 0 };
    fv_status status = fv_dataset_read(w->census->dataset, i, &bytes, &s->bytes, &why);
    if (status == FV_OK)
        status = fv_inspect(&s->found, scratch, fv_dataset_name(w->census->dataset, i),
                            (const uint8_t *)bytes, s->bytes, &why);
    fv_free(bytes);
    if (scratch->capacity > KEPT_BYTES) fv_picture_deinit(scratch);
    s->readable = status == FV_OK;
    if (!s->readable) set_reason(w, i, s, &why);
    const int64_t done = atomic_fetch_add(&w->done, 1) + 1;
    if (worker == 0 && w->options->progress) w->options->progress(w->options->ctx, done);
}

/* ---- All of them ---- */

static fv_status keep_reason(fv_census *c, fv_census_picture *p, const char *reason, fv_error *err)
{
    p->reason = FV_CENSUS_REASONS;
    if (c->reason_count == FV_CENSUS_REASONS) return FV_OK;
    c->reasons[c->reason_count] = fv_arena_join(&c->memory, reason, "", "");
    if (!c->reasons[c->reason_count]) return fv_fail(err, FV_ERR_NOMEM, "data: out of memory");
    p->reason = (uint32_t)c->reason_count++;
    return FV_OK;
}

static void add_pixels(work *w, const fv_inspection *found)
{
    const double pixels = (double)found->width * found->height;
    for (int c = 0; c < 3; c++) {
        w->sum[c] += (double)found->sum[c] / pixels;
        w->squares[c] += (double)found->squares[c] / pixels;
    }
}

static fv_status sum_block(work *w, int count, fv_error *err)
{
    fv_census *c = w->census;
    for (int k = 0; k < count; k++) {
        const slot *s = &w->slots[k];
        const int64_t i = w->first + k;
        fv_census_picture *p = &c->pictures[i];
        *p = (fv_census_picture){ .file = s->found.file,
                                  .pixels = s->found.pixels,
                                  .width = s->found.width,
                                  .height = s->found.height,
                                  .bytes = (uint32_t)s->bytes,
                                  .oddities = s->found.oddities,
                                  .readable = s->readable };
        c->bytes += s->bytes;
        c->readable += s->readable;
        if (fv_dataset_label(c->dataset, i) != FV_UNLABELLED)
            c->class_counts[fv_dataset_label(c->dataset, i)]++;
        if (s->readable)
            add_pixels(w, &s->found);
        else
            FV_TRY(keep_reason(c, p, s->reason, err));
    }
    return FV_OK;
}

static void finish(work *w)
{
    fv_census *c = w->census;
    if (!c->readable) return;
    for (int k = 0; k < 3; k++) {
        const double mean = w->sum[k] / (double)c->readable;
        const double variance = w->squares[k] / (double)c->readable - mean * mean;
        c->mean[k] = mean / 255.0;
        c->deviation[k] = sqrt(fmax(variance, 0.0)) / 255.0;
    }
}

static fv_status read_all(work *w, fv_error *err)
{
    fv_census *c = w->census;
    for (w->first = 0; w->first < c->count; w->first += BLOCK) {
        const int64_t left = c->count - w->first;
        const int count = left < BLOCK ? (int)left : BLOCK;
        fv_parallel_for(count, inspect, w);
        if (is_stopped(w))
            return fv_fail(err, FV_ERR_INTERRUPTED, "interrupted after %lld pictures",
                           (long long)atomic_load(&w->done));
        FV_TRY(sum_block(w, count, err));
        if (w->options->progress) w->options->progress(w->options->ctx, w->first + count);
    }
    finish(w);
    return FV_OK;
}

fv_status fv_census_take(fv_census *out, const fv_dataset *dataset,
                         const fv_census_options *options, fv_error *err)
{
    const int threads = fv_threads_count();
    work w = { .census = out, .options = options };
    *out = (fv_census){ .dataset = dataset, .count = fv_dataset_count(dataset) };
    fv_arena_init(&out->memory);
    out->pictures = fv_alloc((size_t)out->count * sizeof(*out->pictures));
    out->class_counts = fv_alloc((size_t)fv_dataset_classes(dataset) * sizeof(*out->class_counts));
    out->reasons = fv_alloc(FV_CENSUS_REASONS * sizeof(*out->reasons));
    w.slots = fv_alloc(BLOCK * sizeof(*w.slots));
    w.scratch = fv_alloc((size_t)threads * sizeof(*w.scratch));
    fv_status status = FV_OK;
    if (!out->pictures || !out->class_counts || !out->reasons || !w.slots || !w.scratch)
        status = fv_fail(err, FV_ERR_NOMEM, "data: out of memory");
    if (status == FV_OK) status = read_all(&w, err);
    for (int i = 0; w.scratch && i < threads; i++) fv_picture_deinit(&w.scratch[i]);
    fv_free(w.scratch);
    fv_free(w.slots);
    if (status != FV_OK) fv_census_deinit(out);
    return status;
}

void fv_census_deinit(fv_census *census)
{
    fv_free(census->pictures);
    fv_free(census->class_counts);
    fv_free(census->reasons);
    fv_arena_deinit(&census->memory);
    *census = (fv_census){ 0 };
}

const char *fv_census_reason(const fv_census *census, int64_t i)
{
    const fv_census_picture *p = &census->pictures[i];
    if (p->readable) return "";
    return p->reason < FV_CENSUS_REASONS ? census->reasons[p->reason] : "cannot be read";
}

/* ---- Measures ---- */

int64_t fv_measure_width(const fv_census_picture *picture) { return picture->width; }
int64_t fv_measure_height(const fv_census_picture *picture) { return picture->height; }
int64_t fv_measure_bytes(const fv_census_picture *picture) { return picture->bytes; }

static int compare_values(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x == *y ? 0 : *x < *y ? -1 : 1;
}

fv_status fv_census_spread(const fv_census *census, fv_measure_fn *measure, fv_spread *out,
                           fv_error *err)
{
    int64_t *values = fv_alloc((size_t)census->readable * sizeof(*values)), n = 0;
    *out = (fv_spread){ 0 };
    if (!values) return fv_fail(err, FV_ERR_NOMEM, "data: out of memory");
    for (int64_t i = 0; i < census->count; i++)
        if (census->pictures[i].readable) values[n++] = measure(&census->pictures[i]);
    qsort(values, (size_t)n, sizeof(*values), compare_values);
    if (n) *out = (fv_spread){ values[0], values[(n - 1) / 2], values[n - 1] };
    fv_free(values);
    return FV_OK;
}
