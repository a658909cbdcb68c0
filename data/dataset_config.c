/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset_config.h"

#include "base/compiler.h"
#include "base/memory.h"

#include <string.h>

typedef struct keys {
    int name;
    const char *image_root, *cls_label_path, *delimiter, *path_column, *label_column;
    const char *label_key, *file, *label_list;
    fv_config_node *shards, *split, *transform_ops, *batch_transform_ops;
    bool relabel;
} keys;

/* The first two are one thing, as in PaddleClas. */
static const char *const names[] = { "ImageNetDataset", "ClsDataset",    "CsvDataset",
                                     "TarDataset",      "PackedDataset", NULL };
static const fv_dataset_kind kinds[] = { FV_DATASET_FILES, FV_DATASET_FILES, FV_DATASET_CSV,
                                         FV_DATASET_TAR, FV_DATASET_PACKED };

static const fv_field fields[] = {
    FV_FIELD_ENUM(keys, name, "ImageNetDataset", names),
    FV_FIELD_STRING(keys, image_root, ""),
    FV_FIELD_STRING(keys, cls_label_path, NULL),
    FV_FIELD_STRING(keys, delimiter, NULL),
    FV_FIELD_STRING(keys, path_column, NULL),
    FV_FIELD_STRING(keys, label_column, NULL),
    FV_FIELD_NODE(keys, shards),
    FV_FIELD_STRING(keys, label_key, NULL),
    FV_FIELD_STRING(keys, file, NULL),
    FV_FIELD_STRING(keys, label_list, NULL),
    FV_FIELD_NODE(keys, split),
    { .key = "transform_ops",
      .type = FV_NODE,
      .offset = offsetof(keys, transform_ops),
      .otherwise_text = FV_REQUIRED },
    FV_FIELD_NODE(keys, batch_transform_ops),
    FV_FIELD_BOOL(keys, relabel, false),
    FV_FIELD_END,
};

/* Which kinds have a use for a key, and which cannot do without: bits 1 << kind. */
enum {
    FILES = 1 << FV_DATASET_FILES,
    CSV = 1 << FV_DATASET_CSV,
    TAR = 1 << FV_DATASET_TAR,
    PACKED = 1 << FV_DATASET_PACKED
};
static const struct {
    const char *key;
    unsigned used, needed;
} uses[] = {
    { "image_root", FILES | CSV | TAR, 0 },
    { "cls_label_path", FILES | CSV, CSV },
    { "delimiter", FILES | CSV, 0 },
    { "path_column", CSV, 0 },
    { "label_column", CSV, 0 },
    { "shards", TAR, TAR },
    { "label_key", TAR, 0 },
    { "file", PACKED, PACKED },
};

static fv_status check_uses(fv_config_node *map, int name, fv_error *err)
{
    const unsigned kind = 1u << kinds[name];
    for (size_t i = 0; i < FV_ARRAY_LEN(uses); i++) {
        fv_config_node *value = fv_config_child(map, uses[i].key);
        if (value && !(uses[i].used & kind))
            return fv_config_fail(value, err, "%s has no use for it", names[name]);
        if (!value && (uses[i].needed & kind))
            return fv_config_fail(map, err, "%s must be given: %s needs it", uses[i].key,
                                  names[name]);
    }
    return FV_OK;
}

typedef struct split_keys {
    double val_fraction;
    int64_t seed;
    int part;
} split_keys;

static const char *const parts[] = { "train", "val", NULL }; /* fv_part */

static const fv_field split_fields[] = {
    { .key = "val_fraction",
      .type = FV_DOUBLE,
      .offset = offsetof(split_keys, val_fraction),
      .min = 1e-6,
      .max = 0.999999,
      .otherwise_text = FV_REQUIRED },
    FV_FIELD_LONG(split_keys, seed, 0, 0, 9e15),
    FV_FIELD_ENUM(split_keys, part, "train", parts),
    FV_FIELD_END,
};

static fv_status read_split(fv_split *out, fv_config_node *map, bool training, fv_error *err)
{
    if (!map) return FV_OK;
    split_keys s;
    FV_TRY(fv_config_read(map, split_fields, &s, err));
    if (!fv_config_child(map, "part")) s.part = training ? FV_PART_TRAIN : FV_PART_VAL;
    *out = (fv_split){ .val_fraction = s.val_fraction,
                       .seed = (uint64_t)s.seed,
                       .part = (fv_part)s.part };
    return FV_OK;
}

/* One pattern, or a list of them. */
static fv_status read_shards(fv_dataset_config *out, fv_config_node *node, fv_error *err)
{
    if (!node) return FV_OK;
    const bool listed = fv_config_node_type(node) == FV_CONFIG_LIST;
    const int count = listed ? fv_config_count(node) : 1;
    out->shards = fv_alloc((size_t)count * sizeof(*out->shards));
    if (!out->shards) return fv_config_fail(node, err, "out of memory for %d patterns", count);
    for (int i = 0; i < count; i++) {
        fv_config_node *item = listed ? fv_config_at(node, i) : node;
        out->shards[i] = fv_config_node_text(item);
        if (!out->shards[i] || !*out->shards[i])
            return fv_config_fail(node, err,
                                  "must be a pattern of file names, or a list of them, e.g. "
                                  "\"train-{0000..0031}.tar\"");
    }
    if (!count) return fv_config_fail(node, err, "the list is empty");
    out->options.shards = out->shards;
    out->options.shard_count = count;
    return FV_OK;
}

static fv_status read_all(fv_dataset_config *out, fv_config_node *map, bool training, fv_error *err)
{
    keys k;
    FV_TRY(fv_config_read(map, fields, &k, err));
    FV_TRY(check_uses(map, k.name, err));
    const fv_dataset_kind kind = kinds[k.name];
    if (kind == FV_DATASET_CSV && k.delimiter && strlen(k.delimiter) != 1)
        return fv_config_fail(fv_config_child(map, "delimiter"), err,
                              "must be one character in a table");
    if (k.batch_transform_ops && !training)
        return fv_config_fail(k.batch_transform_ops, err,
                              "pictures are mixed in training only: leave the key out");
    if (k.relabel)
        return fv_config_fail(fv_config_child(map, "relabel"), err,
                              "must be False: labels are taken as they are");
    out->options = (fv_dataset_options){
        .kind = kind,
        .image_root = k.image_root,
        .list_path = kind == FV_DATASET_PACKED ? k.file : k.cls_label_path,
        .delimiter = k.delimiter,
        .path_column = k.path_column,
        .label_column = k.label_column,
        .label_key = k.label_key,
        .label_list = k.label_list,
    };
    out->transform_ops = k.transform_ops;
    out->batch_transform_ops = k.batch_transform_ops;
    FV_TRY(read_shards(out, k.shards, err));
    return read_split(&out->options.split, k.split, training, err);
}

fv_status fv_dataset_config_read(fv_dataset_config *out, fv_config_node *map, bool training,
                                 fv_error *err)
{
    *out = (fv_dataset_config){ .shards = NULL };
    const fv_status status = read_all(out, map, training, err);
    if (status != FV_OK) fv_dataset_config_deinit(out);
    return status;
}

void fv_dataset_config_deinit(fv_dataset_config *config)
{
    fv_free(config->shards);
    *config = (fv_dataset_config){ .shards = NULL };
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_pictures(const fv_dataset_options *a, const fv_dataset_options *b)
{
    bool same = a->kind == b->kind && same_text(a->image_root, b->image_root) &&
                same_text(a->list_path, b->list_path) && a->shard_count == b->shard_count;
    for (int i = 0; same && i < a->shard_count; i++) same = same_text(a->shards[i], b->shards[i]);
    return same;
}

fv_status fv_dataset_config_compare(fv_config_node *train, fv_config_node *eval, fv_error *err)
{
    fv_dataset_config a, b;
    FV_TRY(fv_dataset_config_read(&a, train, true, err));
    fv_status status = fv_dataset_config_read(&b, eval, false, err);
    if (status == FV_OK) {
        const fv_split *x = &a.options.split, *y = &b.options.split;
        const bool same = x->val_fraction == y->val_fraction && x->seed == y->seed;
        if (!same && same_pictures(&a.options, &b.options))
            status = fv_config_fail(eval, err,
                                    "split must be as in DataLoader.Train, which reads the same "
                                    "pictures: else parts overlap");
        fv_dataset_config_deinit(&b);
    }
    fv_dataset_config_deinit(&a);
    return status;
}
