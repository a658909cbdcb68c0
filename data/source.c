/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source.h"

#include "base/compiler.h"
#include "base/log.h"
#include "data/dataset_config.h"

#include <stddef.h>

enum { MAX_BATCH = 1 << 16, MAX_WORKERS = 1024 };

typedef struct section_options {
    fv_config_node *dataset, *sampler, *loader, *progressive;
} section_options;

static const fv_field section_fields[] = {
    { .key = "dataset",
      .type = FV_NODE,
      .offset = offsetof(section_options, dataset),
      .otherwise_text = FV_REQUIRED },
    { .key = "sampler",
      .type = FV_NODE,
      .offset = offsetof(section_options, sampler),
      .otherwise_text = FV_REQUIRED },
    FV_FIELD_NODE(section_options, loader),
    FV_FIELD_NODE(section_options, progressive),
    FV_FIELD_END,
};

typedef struct sampler_options {
    int name, batch_size;
    bool drop_last, shuffle, balanced;
} sampler_options;

/* One process: the distributed one is the same. */
static const char *const sampler_names[] = { "BatchSampler", "DistributedBatchSampler", NULL };

static const fv_field sampler_fields[] = {
    FV_FIELD_ENUM(sampler_options, name, "BatchSampler", sampler_names),
    { .key = "batch_size",
      .type = FV_INT,
      .offset = offsetof(sampler_options, batch_size),
      .min = 1,
      .max = MAX_BATCH,
      .otherwise_text = FV_REQUIRED },
    FV_FIELD_BOOL(sampler_options, drop_last, false),
    FV_FIELD_BOOL(sampler_options, shuffle, false),
    FV_FIELD_BOOL(sampler_options, balanced, false),
    FV_FIELD_END,
};

typedef struct loader_options {
    int num_workers;
} loader_options;

enum { AS_MANY_AS_THREADS = -1 };

static const fv_field loader_fields[] = {
    FV_FIELD_INT(loader_options, num_workers, AS_MANY_AS_THREADS, 0, MAX_WORKERS),
    FV_FIELD_IGNORED("use_shared_memory", "workers are threads and share all memory"),
    FV_FIELD_END,
};

static fv_status check_sampler(fv_config_node *map, const sampler_options *o, bool training,
                               fv_error *err)
{
    if (!o->balanced) return FV_OK;
    fv_config_node *key = fv_config_child(map, "balanced");
    if (!training)
        return fv_config_fail(key, err, "is for training: an evaluation has every picture once");
    if (!o->shuffle)
        return fv_config_fail(key, err, "draws the pictures at random: set shuffle to True too");
    return FV_OK;
}

static int choose_workers(fv_config_node *map, int wanted, int threads)
{
    const int most = fv_max(threads, 1);
    if (wanted == AS_MANY_AS_THREADS) return most;
    if (wanted > most) {
        fv_log(FV_LOG_INFO, "%s: %d of the %d workers are used, as many as threads that compute",
               fv_config_node_where(fv_config_child(map, "num_workers")), most, wanted);
    }
    return fv_min(wanted, most);
}

/* All keys of a section. */
typedef struct section {
    fv_config_node *loader_map;
    fv_dataset_config dataset;
    sampler_options sampler;
    loader_options loader;
} section;

/* Reads the section and makes its operations, which the caller destroys in any case; *out too. */
static fv_status read_section(section *out, fv_source *s, fv_config_node *map, const char *where,
                              bool training, fv_error *err)
{
    section_options maps;
    *out = (section){ .loader_map = NULL };
    FV_TRY(fv_config_read(map, section_fields, &maps, err));
    FV_TRY(fv_dataset_config_read(&out->dataset, maps.dataset, training, err));
    FV_TRY(fv_config_read(maps.sampler, sampler_fields, &out->sampler, err));
    FV_TRY(fv_config_read(maps.loader, loader_fields, &out->loader, err));
    FV_TRY(check_sampler(maps.sampler, &out->sampler, training, err));
    out->loader_map = maps.loader;
    if (maps.progressive && !training)
        return fv_config_fail(maps.progressive, err, "is for training");
    FV_TRY(fv_stages_create(&s->stages, &s->pipeline, maps.progressive, out->dataset.transform_ops,
                            where, err));
    return fv_batch_ops_create(&s->batch_ops, out->dataset.batch_transform_ops, err);
}

fv_status fv_source_check(fv_config_node *map, const char *where, bool training, fv_error *err)
{
    section keys;
    fv_source made = { 0 };
    const fv_status status = read_section(&keys, &made, map, where, training, err);
    fv_dataset_config_deinit(&keys.dataset);
    fv_source_close(&made);
    return status;
}

fv_status fv_source_compare(fv_config_node *train, fv_config_node *eval, fv_error *err)
{
    return fv_dataset_config_compare(fv_config_child(train, "dataset"),
                                     fv_config_child(eval, "dataset"), err);
}

static fv_status balance(fv_source *s, const char *where, fv_error *err)
{
    FV_TRY(fv_class_table_create(&s->classes, s->dataset, err));
    int64_t least = INT64_MAX, most = 0;
    for (int k = 0; k < s->classes->count; k++) {
        const int64_t size = fv_class_table_size(s->classes, k);
        least = size < least ? size : least;
        most = size > most ? size : most;
    }
    fv_log(FV_LOG_INFO,
           "%s.sampler.balanced: each of %d classes, of %lld to %lld pictures, is drawn equally "
           "often",
           where, s->classes->count, (long long)least, (long long)most);
    return FV_OK;
}

static fv_status open_loader(fv_source *s, section *keys, const fv_source_options *options,
                             fv_error *err)
{
    fv_pipeline_size(s->pipeline, &s->height, &s->width);
    keys->dataset.options.classes = options->classes;
    keys->dataset.options.unlabelled = options->unlabelled;
    FV_TRY(fv_dataset_open(&s->dataset, &keys->dataset.options, err));
    if (keys->sampler.balanced) FV_TRY(balance(s, options->where, err));
    s->batch_size = keys->sampler.batch_size;
    const fv_loader_options loading = {
        .dataset = s->dataset,
        .pipeline = s->pipeline,
        .stages = s->stages,
        .batch_ops = s->batch_ops,
        .sampler = { .count = fv_dataset_count(s->dataset),
                     .batch_size = keys->sampler.batch_size,
                     .shuffle = keys->sampler.shuffle,
                     .drop_last = keys->sampler.drop_last,
                     .balance = s->classes,
                     .seed = options->seed },
        .workers = choose_workers(keys->loader_map, keys->loader.num_workers, options->threads),
        .substitute = options->training,
    };
    return fv_loader_open(&s->loader, &loading, err);
}

fv_status fv_source_open(fv_source *out, fv_config_node *map, const fv_source_options *options,
                         fv_error *err)
{
    *out = (fv_source){ 0 };
    if (!map) {
        return fv_fail(err, FV_ERR_CONFIG, "%s: missing: it says where the pictures are",
                       options->where);
    }
    section keys;
    fv_status status = read_section(&keys, out, map, options->where, options->training, err);
    if (status == FV_OK) status = open_loader(out, &keys, options, err);
    fv_dataset_config_deinit(&keys.dataset);
    if (status != FV_OK) fv_source_close(out);
    return status;
}

void fv_source_close(fv_source *source)
{
    fv_loader_close(source->loader);
    fv_batch_ops_destroy(source->batch_ops);
    fv_pipeline_destroy(source->pipeline);
    fv_stages_deinit(&source->stages);
    fv_class_table_destroy(source->classes);
    fv_dataset_close(source->dataset);
    *source = (fv_source){ 0 };
}
