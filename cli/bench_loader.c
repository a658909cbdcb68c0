/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/threads.h"
#include "cli/advice.h"
#include "cli/bench.h"
#include "cli/command.h"
#include "data/source.h"
#include "train/settings.h"

#include <jansson.h>
#include <time.h>

typedef struct tally {
    int64_t images, unreadable;
    double seconds, processor; /* seconds; of all threads together */
} tally;

static double processor_seconds(void)
{
    struct timespec t = { 0 };
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static tally read_batches(fv_loader *loader, int steps)
{
    tally t = { .images = 0 };
    const int64_t all = fv_loader_batches(loader), count = steps && steps < all ? steps : all;
    const double start = fv_clock_seconds(), before = processor_seconds();
    fv_loader_start(loader, 0, 0);
    for (int64_t i = 0; i < count; i++) {
        fv_batch *batch = fv_loader_take(loader);
        t.images += batch->count;
        fv_loader_give_back(loader, batch);
    }
    t.seconds = fv_clock_seconds() - start;
    t.processor = processor_seconds() - before;
    const int64_t *samples;
    t.unreadable = fv_loader_unreadable(loader, &samples);
    return t;
}

static fv_status report(const tally *t, int workers, const fv_arguments *arguments, fv_error *err)
{
    if (t->images == 0)
        return fv_fail(err, FV_ERR_CONFIG, "DataLoader.Train: not one whole batch to measure");
    const double rate = (double)t->images / t->seconds;
    fprintf(fv_output(arguments), "loader, %d thread%s: %.1f images/s (%lld images in %.2f s)\n",
            workers, workers == 1 ? "" : "s", rate, (long long)t->images, t->seconds);
    fv_advise(
        "next: \"%s bench MODEL --mode train\" tells how many a model needs; if it needs more, "
        "it will wait for pictures",
        arguments->program);
    return fv_json_write(arguments,
                         json_pack("{s:f, s:i, s:I, s:I, s:f, s:f}", "images_per_second", rate,
                                   "threads", workers, "images", (json_int_t)t->images,
                                   "unreadable", (json_int_t)t->unreadable, "seconds", t->seconds,
                                   "processor_seconds", t->processor),
                         err);
}

static fv_status measure(fv_config *config, const fv_arguments *arguments, int steps, fv_error *err)
{
    fv_settings settings;
    FV_TRY(fv_settings_read(&settings, config, err));
    const fv_source_options options = { .where = "DataLoader.Train",
                                        .classes = settings.class_num,
                                        .seed = (uint64_t)settings.global.seed,
                                        .training = true,
                                        .unlabelled = !fv_loss_needs_labels(&settings.loss),
                                        .threads = fv_threads_count() };
    fv_source source = { .dataset = NULL };
    FV_TRY(fv_source_open(&source, settings.train, &options, err));
    const tally t = read_batches(source.loader, steps);
    fv_source_close(&source);
    return report(&t, fv_threads_count(), arguments, err);
}

fv_status fv_bench_loader(const fv_arguments *arguments, int steps, fv_error *err)
{
    fv_config *config;
    FV_TRY(fv_arguments_config(arguments, &config, err));
    const fv_status status = measure(config, arguments, steps, err);
    fv_config_destroy(config);
    return status;
}
