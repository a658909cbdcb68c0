/* SPDX-License-Identifier: Apache-2.0 */
/* The ring holds batches in order; batch b lies in slot b % prefetch. A task is one sample. Workers
 * take tasks in order, so that all of them work on the batch that is needed first.
 *
 *   free -> filling (tasks are handed out) -> ready (last task done) -> out (taken) -> free
 *
 * One mutex guards the states; pixels of a slot belong to the workers while it is filling, and to
 * the caller while it is out. Nothing in a batch depends on who did what when; failures are logged
 * and counted when a batch is taken, in its order.
 */
#include "data/loader.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"
#include "data/dataset_impl.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_PREFETCH = 4, MAX_WORKERS = 1024, NAMED = 20 /* unreadable pictures */ };

typedef enum slot_state { FREE, FILLING, READY, OUT } slot_state;

typedef struct slot {
    fv_batch batch;
    fv_error *errors; /* [batch_size]; status FV_OK where the picture could be read */
    void *mixing;     /* scratch of the operations on batches, or NULL */
    slot_state state;
    int next, done; /* tasks handed out, tasks finished */
} slot;

struct fv_loader {
    fv_loader_options options;
    int height, width; /* of the largest pictures of any stage */
    int64_t batches;

    slot *slots;
    int slot_count;
    uint32_t epoch;
    int64_t fill, take; /* batch whose tasks are handed out; batch that is taken next */
    int active;         /* tasks that are being done */
    bool stop;
    pthread_mutex_t mutex;
    pthread_cond_t work, progress; /* there are tasks; a batch is ready or a task done */

    pthread_t *threads;
    int thread_count;
    fv_pipeline_scratch **scratches; /* one per worker, or per computing thread */
    int scratch_count;

    double waited; /* seconds */
    uint8_t *seen; /* bit set: samples found unreadable */
    int64_t *unreadable;
    size_t unreadable_count, unreadable_room;
};

static size_t image_floats(const fv_batch *b) { return (size_t)b->height * (size_t)b->width * 3; }

static const fv_pipeline *pipeline_at(const fv_loader *l, uint32_t epoch)
{
    const fv_loader_options *o = &l->options;
    return fv_stages_at(&o->stages, o->pipeline, epoch);
}

/* ---- One sample ---- */

/* A sample that an epoch has more than once is another picture each time. */
static fv_status read_sample(const fv_loader *l, fv_pipeline_scratch *scratch, fv_draw draw,
                             uint32_t epoch, float *out, fv_error *err)
{
    const fv_dataset *dataset = l->options.dataset;
    const int64_t sample = draw.sample;
    const uint64_t index = (uint64_t)(sample + draw.repeat * l->options.sampler.count);
    char *bytes = NULL;
    size_t size = 0;
    FV_TRY(fv_dataset_read(dataset, sample, &bytes, &size, err));
    fv_random random = fv_random_stream(l->options.sampler.seed, FV_RANDOM_AUGMENT, epoch, index);
    fv_error why = { 0 };
    fv_status status = fv_pipeline_run(pipeline_at(l, epoch), scratch, (const uint8_t *)bytes, size,
                                       &random, out, &why);
    fv_free(bytes);
    if (status == FV_OK) return FV_OK;
    char path[FV_DATASET_MAX_PATH];
    FV_TRY(fv_dataset_path(dataset, sample, path, sizeof(path), err));
    return fv_fail(err, status, "%.300s: %s", path, why.message);
}

static void fill_sample(const fv_loader *l, slot *s, int i, fv_pipeline_scratch *scratch)
{
    fv_batch *b = &s->batch;
    const int64_t position = b->number * l->options.sampler.batch_size + i;
    const fv_draw draw = fv_sampler_draw(&l->options.sampler, b->epoch, position);
    float *out = b->images + (size_t)i * image_floats(b);
    b->samples[i] = draw.sample;
    b->labels[i] = (float)fv_dataset_label(l->options.dataset, draw.sample);
    s->errors[i].status = read_sample(l, scratch, draw, b->epoch, out, &s->errors[i]);
    b->readable[i] = s->errors[i].status == FV_OK;
    if (!b->readable[i]) memset(out, 0, image_floats(b) * sizeof(*out));
}

/* The next readable sample of the batch, going round, takes the place of one that is not. */
static void substitute(slot *s)
{
    fv_batch *b = &s->batch;
    for (int i = 0; i < b->count; i++) {
        if (s->errors[i].status == FV_OK) continue;
        int from = (i + 1) % b->count;
        while (from != i && s->errors[from].status != FV_OK) from = (from + 1) % b->count;
        if (from == i) return; /* none is readable */
        const size_t floats = image_floats(b);
        memcpy(b->images + (size_t)i * floats, b->images + (size_t)from * floats,
               floats * sizeof(*b->images));
        b->labels[i] = b->labels[from];
        b->samples[i] = b->samples[from];
        b->readable[i] = true;
    }
}

/* What is left to do when all pictures of a batch are there. */
static void finish_slot(const fv_loader *l, slot *s)
{
    fv_batch *b = &s->batch;
    if (l->options.substitute) substitute(s);
    if (!l->options.batch_ops) return;
    fv_random random =
        fv_random_stream(l->options.sampler.seed, FV_RANDOM_BATCH, b->epoch, (uint64_t)b->number);
    const fv_mixture mixture = { .count = b->count,
                                 .height = b->height,
                                 .width = b->width,
                                 .images = b->images,
                                 .labels = b->labels,
                                 .partners = b->partners,
                                 .shares = b->shares,
                                 .scratch = s->mixing };
    fv_batch_ops_run(l->options.batch_ops, &mixture, &random);
}

/* ---- The ring ---- */

static slot *slot_of(fv_loader *l, int64_t batch) { return &l->slots[batch % l->slot_count]; }

static void begin_slot(fv_loader *l, slot *s)
{
    s->state = FILLING;
    s->next = s->done = 0;
    s->batch.epoch = l->epoch;
    s->batch.number = l->fill;
    s->batch.count = fv_sampler_batch_size(&l->options.sampler, l->fill);
    fv_pipeline_size(pipeline_at(l, l->epoch), &s->batch.height, &s->batch.width);
}

/* The slot of the next task, or NULL: nothing to do now. Under the mutex. */
static slot *find_task(fv_loader *l)
{
    if (l->fill >= l->batches) return NULL;
    slot *s = slot_of(l, l->fill);
    if (s->state == FREE) begin_slot(l, s);
    return s->state == FILLING && s->batch.number == l->fill ? s : NULL;
}

typedef struct worker {
    fv_loader *loader;
    fv_pipeline_scratch *scratch;
} worker;

/* One task; the mutex is held before and after, not meanwhile. */
static void do_task(fv_loader *l, slot *s, fv_pipeline_scratch *scratch)
{
    const int i = s->next++;
    if (s->next == s->batch.count) l->fill++;
    l->active++;
    pthread_mutex_unlock(&l->mutex);
    fill_sample(l, s, i, scratch);
    pthread_mutex_lock(&l->mutex);
    if (++s->done == s->batch.count) {
        pthread_mutex_unlock(&l->mutex); /* nobody else looks at a slot that is filling */
        finish_slot(l, s);
        pthread_mutex_lock(&l->mutex);
        s->state = READY;
    }
    l->active--;
    pthread_cond_broadcast(&l->progress);
}

static void *work(void *arg)
{
    worker w = *(worker *)arg;
    fv_free(arg);
    fv_loader *l = w.loader;
    fv_denormals_flush();
    pthread_mutex_lock(&l->mutex);
    while (!l->stop) {
        slot *s = find_task(l);
        if (s)
            do_task(l, s, w.scratch);
        else
            pthread_cond_wait(&l->work, &l->mutex);
    }
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

/* ---- Without workers: the computing threads ---- */

typedef struct gang {
    fv_loader *loader;
    slot *slot;
    atomic_int next;
} gang;

static void gang_task(void *ctx, int task, int thread)
{
    gang *g = ctx;
    (void)thread;
    for (int i; (i = atomic_fetch_add(&g->next, 1)) < g->slot->batch.count;) {
        fill_sample(g->loader, g->slot, i, g->loader->scratches[task]);
    }
}

static void fill_here(fv_loader *l, slot *s)
{
    begin_slot(l, s);
    l->fill++;
    gang g = { .loader = l, .slot = s };
    fv_parallel_for(fv_min(l->scratch_count, s->batch.count), gang_task, &g);
    finish_slot(l, s);
    s->state = READY;
}

/* ---- Opening and closing ---- */

static fv_status make_slot(const fv_loader *l, slot *s, fv_error *err)
{
    const size_t n = (size_t)l->options.sampler.batch_size;
    s->batch.height = l->height;
    s->batch.width = l->width;
    s->batch.images = fv_alloc(n * image_floats(&s->batch) * sizeof(*s->batch.images));
    s->batch.labels = fv_alloc(n * sizeof(*s->batch.labels));
    s->batch.samples = fv_alloc(n * sizeof(*s->batch.samples));
    s->batch.readable = fv_alloc(n * sizeof(*s->batch.readable));
    s->errors = fv_alloc(n * sizeof(*s->errors));
    bool complete =
        s->batch.images && s->batch.labels && s->batch.samples && s->batch.readable && s->errors;
    const fv_batch_ops *ops = l->options.batch_ops;
    if (complete && ops) {
        s->batch.partners = fv_alloc(n * sizeof(*s->batch.partners));
        s->batch.shares = fv_alloc(n * sizeof(*s->batch.shares));
        s->mixing = fv_alloc(fv_batch_ops_scratch(ops, (int)n, l->height, l->width));
        complete = s->batch.partners && s->batch.shares && s->mixing;
    }
    if (complete) return FV_OK;
    return fv_fail(err, FV_ERR_NOMEM,
                   "loader: out of memory: %d batches of %zu x %d x %d x 3 floats are read ahead",
                   l->slot_count, n, l->height, l->width);
}

static fv_status make_memory(fv_loader *l, fv_error *err)
{
    l->seen = fv_alloc((size_t)l->options.sampler.count / 8 + 1);
    l->slots = fv_alloc((size_t)l->slot_count * sizeof(*l->slots));
    l->scratches = fv_alloc((size_t)l->scratch_count * sizeof(fv_pipeline_scratch *));
    l->threads = fv_alloc((size_t)l->options.workers * sizeof(*l->threads));
    if (!l->seen || !l->slots || !l->scratches || !l->threads) {
        return fv_fail(err, FV_ERR_NOMEM, "loader: out of memory");
    }
    for (int i = 0; i < l->slot_count; i++) FV_TRY(make_slot(l, &l->slots[i], err));
    for (int i = 0; i < l->scratch_count; i++) {
        FV_TRY(fv_pipeline_scratch_create(&l->scratches[i], err));
    }
    return FV_OK;
}

/* Signals are for the main thread. */
static fv_status start_threads(fv_loader *l, fv_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    fv_status status = FV_OK;
    for (int i = 0; i < l->options.workers && status == FV_OK; i++) {
        worker *w = fv_alloc(sizeof(*w));
        if (w) *w = (worker){ l, l->scratches[i] };
        const int code = w ? pthread_create(&l->threads[i], NULL, work, w) : -1;
        if (code != 0) {
            fv_free(w);
            status = fv_fail(err, FV_ERR_NOMEM, "loader: worker %d of %d cannot be started", i + 1,
                             l->options.workers);
            continue;
        }
        l->thread_count++;
        char name[32];
        snprintf(name, sizeof(name), "fv-loader-%d", i);
        pthread_setname_np(l->threads[i], name);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

static fv_status check_options(const fv_loader_options *o, fv_error *err)
{
    const fv_sampler *s = &o->sampler;
    if (s->count != fv_dataset_count(o->dataset)) {
        return fv_fail(err, FV_ERR_CONFIG,
                       "loader: the sampler counts %lld samples, the dataset %lld",
                       (long long)s->count, (long long)fv_dataset_count(o->dataset));
    }
    if (s->batch_size < 1 || o->workers < 0 || o->workers > MAX_WORKERS || o->prefetch < 0) {
        return fv_fail(
            err, FV_ERR_CONFIG,
            "loader: batch size %d, %d workers (at most %d), %d batches ahead: not possible",
            s->batch_size, o->workers, (int)MAX_WORKERS, o->prefetch);
    }
    if (fv_sampler_batches(s) == 0) {
        return fv_fail(err, FV_ERR_CONFIG,
                       "loader: %lld samples make no batch of %d: drop_last drops them all",
                       (long long)s->count, s->batch_size);
    }
    return FV_OK;
}

/* The largest that may come. */
static void find_size(fv_loader *l)
{
    const fv_stages *stages = &l->options.stages;
    fv_pipeline_size(l->options.pipeline, &l->height, &l->width);
    for (int i = 0; i < stages->count; i++) {
        int height, width;
        fv_pipeline_size(stages->stages[i].pipeline, &height, &width);
        l->height = fv_max(l->height, height);
        l->width = fv_max(l->width, width);
    }
}

fv_status fv_loader_open(fv_loader **out, const fv_loader_options *options, fv_error *err)
{
    *out = NULL;
    FV_TRY(check_options(options, err));
    fv_loader *l = fv_alloc(sizeof(*l));
    if (!l) return fv_fail(err, FV_ERR_NOMEM, "loader: out of memory");
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->progress, NULL);
    l->options = *options;
    l->batches = fv_sampler_batches(&options->sampler);
    l->fill = l->take = l->batches; /* no epoch yet */
    find_size(l);
    l->slot_count = !options->workers ? 1
                  : options->prefetch ? options->prefetch
                                      : DEFAULT_PREFETCH;
    l->slot_count = l->batches < l->slot_count ? (int)l->batches : l->slot_count;
    l->scratch_count = options->workers ? options->workers : fv_threads_count();

    fv_status status = make_memory(l, err);
    if (status == FV_OK) status = start_threads(l, err);
    if (status != FV_OK) {
        fv_loader_close(l);
        return status;
    }
    *out = l;
    return FV_OK;
}

void fv_loader_close(fv_loader *loader)
{
    fv_loader *l = loader;
    if (!l) return;
    pthread_mutex_lock(&l->mutex);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->mutex);
    for (int i = 0; i < l->thread_count; i++) pthread_join(l->threads[i], NULL);

    for (int i = 0; i < l->slot_count && l->slots; i++) {
        fv_free(l->slots[i].batch.images);
        fv_free(l->slots[i].batch.labels);
        fv_free(l->slots[i].batch.samples);
        fv_free(l->slots[i].batch.readable);
        fv_free(l->slots[i].batch.partners);
        fv_free(l->slots[i].batch.shares);
        fv_free(l->slots[i].mixing);
        fv_free(l->slots[i].errors);
    }
    for (int i = 0; i < l->scratch_count && l->scratches; i++) {
        fv_pipeline_scratch_destroy(l->scratches[i]);
    }
    pthread_cond_destroy(&l->progress);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->mutex);
    fv_free(l->slots);
    fv_free(l->scratches);
    fv_free(l->threads);
    fv_free(l->seen);
    fv_free(l->unreadable);
    fv_free(l);
}

/* ---- An epoch ---- */

void fv_loader_start(fv_loader *loader, uint32_t epoch, int64_t first_batch)
{
    fv_loader *l = loader;
    pthread_mutex_lock(&l->mutex);
    l->fill = l->batches; /* no more tasks; those begun must end before their slots are reused */
    while (l->active) pthread_cond_wait(&l->progress, &l->mutex);
    for (int i = 0; i < l->slot_count; i++) l->slots[i].state = FREE;
    l->epoch = epoch;
    l->fill = l->take = first_batch;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->mutex);
}

/* Of thousands nobody would read the names. */
static void log_failure(const fv_loader *l, const char *message)
{
    if (l->unreadable_count <= NAMED)
        fv_log(FV_LOG_WARNING, "unreadable picture: %s", message);
    else if (l->unreadable_count == NAMED + 1)
        fv_log(FV_LOG_WARNING,
               "more than %d unreadable pictures: the others are counted, not named here",
               (int)NAMED);
}

/* Logs and remembers what was not seen before. If there is no memory for it, the sample counts the
 * next time. */
static void note_failures(fv_loader *l, const slot *s)
{
    const fv_batch *b = &s->batch;
    for (int i = 0; i < b->count; i++) {
        if (s->errors[i].status == FV_OK) continue;
        const int64_t position = b->number * l->options.sampler.batch_size + i;
        const int64_t sample = fv_sampler_index(&l->options.sampler, b->epoch, position);
        uint8_t *bits = &l->seen[sample / 8], bit = (uint8_t)(1 << sample % 8);
        if (*bits & bit) continue;
        void *list = l->unreadable;
        const fv_status status =
            fv_dataset_grow(&list, sizeof(*l->unreadable), l->unreadable_count,
                            l->unreadable_count + 1, &l->unreadable_room, NULL);
        l->unreadable = list;
        if (status != FV_OK) continue;
        l->unreadable[l->unreadable_count++] = sample;
        *bits |= bit;
        log_failure(l, s->errors[i].message);
    }
}

fv_batch *fv_loader_take(fv_loader *loader)
{
    fv_loader *l = loader;
    if (l->take >= l->batches) return NULL;
    slot *s = slot_of(l, l->take);
    const double begin = fv_clock_seconds();
    if (l->options.workers) {
        pthread_mutex_lock(&l->mutex);
        assert(s->state != OUT);
        while (s->state != READY) pthread_cond_wait(&l->progress, &l->mutex);
        s->state = OUT;
        pthread_mutex_unlock(&l->mutex);
    } else {
        fill_here(l, s);
        s->state = OUT;
    }
    l->waited += fv_clock_seconds() - begin;
    l->take++;
    note_failures(l, s);
    return &s->batch;
}

void fv_loader_give_back(fv_loader *loader, fv_batch *batch)
{
    fv_loader *l = loader;
    slot *s = slot_of(l, batch->number);
    assert(&s->batch == batch);
    pthread_mutex_lock(&l->mutex);
    if (s->state == OUT) s->state = FREE;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->mutex);
}

int64_t fv_loader_batches(const fv_loader *loader) { return loader->batches; }
double fv_loader_wait_seconds(const fv_loader *loader) { return loader->waited; }

int64_t fv_loader_unreadable(const fv_loader *loader, const int64_t **samples)
{
    if (samples) *samples = loader->unreadable;
    return (int64_t)loader->unreadable_count;
}
