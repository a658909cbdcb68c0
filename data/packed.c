/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures are read, checked and shrunk by all threads, a handful at a time, and then written in
 * the order of the dataset. */
#include "data/packed.h"

#include "base/compiler.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"
#include "data/encode.h"
#include "data/packed_impl.h"
#include "data/resize.h"

#include <string.h>

enum { HANDFUL = 64 };

/* A picture on its way. */
typedef struct item {
    char *bytes; /* owned; NULL: it cannot be read */
    size_t size, size_before;
    bool shrunk;
    fv_error error;
} item;

/* What a thread needs. */
typedef struct scratch {
    fv_picture whole, small;
    fv_resizer resizer;
} scratch;

typedef struct packer {
    const fv_dataset *dataset;
    const fv_pack_options *options;
    fv_pack_writer *writer;
    item *items;
    scratch *scratches;
    int workers;
    int64_t first; /* sample of the first item */
} packer;

/* ---- One picture ---- */

/* Replaces the item's bytes. */
static fv_status shrink(const packer *p, item *it, scratch *s, const fv_decode_info *info,
                        fv_error *err)
{
    const fv_decode_options upright = { .apply_exif = true };
    const int side = p->options->short_side, least = fv_min(info->width, info->height);
    FV_TRY(fv_decode(&s->whole, (const uint8_t *)it->bytes, it->size, &upright, err));
    const int64_t width = s->whole.width, height = s->whole.height;
    const fv_resize_job job = { .in = &s->whole,
                                .rect = { 0, 0, s->whole.width, s->whole.height },
                                .width = (int)((width * side + least / 2) / least),
                                .height = (int)((height * side + least / 2) / least),
                                .profile = FV_PILLOW,
                                .filter = FV_LANCZOS,
                                .out = &s->small };
    FV_TRY(fv_resize(&s->resizer, &job, err));
    const fv_jpeg_options jpeg = { .quality = p->options->quality, .subsample = true };
    uint8_t *bytes;
    size_t size;
    FV_TRY(fv_encode_jpeg(&s->small, &jpeg, &bytes, &size, err));
    fv_free(it->bytes);
    it->bytes = (char *)bytes;
    it->size = size;
    it->shrunk = true;
    return FV_OK;
}

/* An eighth of the size shows as well whether a picture is whole. */
static fv_status check(const item *it, scratch *s, fv_error *err)
{
    const fv_decode_options small = { .shrink = 8 };
    return fv_decode(&s->whole, (const uint8_t *)it->bytes, it->size, &small, err);
}

static fv_status prepare(const packer *p, item *it, scratch *s, fv_error *err)
{
    fv_decode_info info;
    FV_TRY(fv_decode_read_info(&info, (const uint8_t *)it->bytes, it->size, NULL, err));
    const int side = p->options->short_side;
    if (side && info.width > side && info.height > side) return shrink(p, it, s, &info, err);
    return check(it, s, err);
}

static void take_picture(void *ctx, int task, int worker)
{
    const packer *p = ctx;
    item *it = &p->items[task];
    const int64_t sample = p->first + task;
    char path[FV_DATASET_MAX_PATH] = "";
    *it = (item){ .bytes = NULL };
    fv_status status = fv_dataset_read(p->dataset, sample, &it->bytes, &it->size, &it->error);
    if (status != FV_OK) return;
    it->size_before = it->size;
    fv_error why = { 0 };
    status = prepare(p, it, &p->scratches[worker], &why);
    if (status == FV_OK) return;
    if (fv_dataset_path(p->dataset, sample, path, sizeof(path), &it->error) == FV_OK)
        fv_fail(&it->error, status, "%.300s: %s", path, why.message);
    fv_free(it->bytes);
    it->bytes = NULL;
}

/* ---- All of them ---- */

static fv_status write_handful(packer *p, int count, fv_pack_result *result, fv_error *err)
{
    fv_status status = FV_OK;
    for (int i = 0; i < count; i++) {
        item *it = &p->items[i];
        const int64_t sample = p->first + i;
        if (it->bytes && status == FV_OK) {
            status =
                fv_pack_writer_add(p->writer, fv_dataset_name(p->dataset, sample),
                                   fv_dataset_label(p->dataset, sample), it->bytes, it->size, err);
            result->pictures++;
            result->shrunk += it->shrunk;
            result->bytes_read += it->size_before;
            result->bytes_written += it->size;
        } else if (it->error.status == FV_ERR_NOMEM) {
            status = status == FV_OK ? fv_fail(err, FV_ERR_NOMEM, "%s", it->error.message) : status;
        } else if (!it->bytes) {
            result->unreadable++;
            fv_log(FV_LOG_WARNING, "unreadable picture, left out: %s", it->error.message);
        }
        fv_free(it->bytes);
    }
    return status;
}

static fv_status pack_all(packer *p, fv_pack_result *result, fv_error *err)
{
    const fv_pack_options *o = p->options;
    const int64_t total = fv_dataset_count(p->dataset);
    for (p->first = 0; p->first < total; p->first += HANDFUL) {
        const int64_t left = total - p->first;
        const int count = left < HANDFUL ? (int)left : HANDFUL;
        if (o->stop && *o->stop) return fv_fail(err, FV_ERR_INTERRUPTED, "packing: interrupted");
        fv_parallel_for(count, take_picture, p);
        FV_TRY(write_handful(p, count, result, err));
        if (o->progress) o->progress(o->ctx, p->first + count, total);
    }
    if (!result->pictures)
        return fv_fail(err, FV_ERR_FORMAT, "%.400s: none of %lld pictures can be read",
                       p->writer->path, (long long)total);
    return fv_pack_writer_commit(p->writer, p->dataset, err);
}

fv_status fv_pack(const fv_dataset *dataset, const char *path, const fv_pack_options *options,
                  fv_pack_result *result, fv_error *err)
{
    *result = (fv_pack_result){ .pictures = 0 };
    packer p = { .dataset = dataset, .options = options, .workers = fv_threads_count() };
    p.items = fv_alloc(HANDFUL * sizeof(*p.items));
    p.scratches = fv_alloc((size_t)p.workers * sizeof(*p.scratches));
    fv_status status = FV_OK;
    if (!p.items || !p.scratches) status = fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    if (status == FV_OK) status = fv_pack_writer_create(&p.writer, dataset, path, err);
    if (status == FV_OK) status = pack_all(&p, result, err);
    fv_pack_writer_destroy(p.writer);
    for (int i = 0; p.scratches && i < p.workers; i++) {
        fv_picture_deinit(&p.scratches[i].whole);
        fv_picture_deinit(&p.scratches[i].small);
        fv_resizer_deinit(&p.scratches[i].resizer);
    }
    fv_free(p.scratches);
    fv_free(p.items);
    return status;
}
