/* SPDX-License-Identifier: Apache-2.0 */
/* data/source.h - DataLoader.Train, DataLoader.Eval: a dataset, its pipeline and its loader.
 *
 * Reads PaddleClas's grammar:
 *
 *     dataset: {name: ImageNetDataset, image_root: ..., cls_label_path: ..., delimiter: ' ',
 *               transform_ops: [...], batch_transform_ops: [MixupOperator: {alpha: 0.2}]}
 *              (data/dataset_config.h has the other classes)
 *     sampler: {name: DistributedBatchSampler, batch_size: 64, drop_last: False, shuffle: True}
 *     loader:  {num_workers: 4, use_shared_memory: True}
 *
 * Without cls_label_path, image_root holds one folder per class.
 */
#ifndef FV_DATA_SOURCE_H
#define FV_DATA_SOURCE_H

#include "data/loader.h"

typedef struct fv_source {
    fv_dataset *dataset;
    fv_pipeline *pipeline;   /* of the last stage, which height and width are of too */
    fv_stages stages;        /* those before it */
    fv_batch_ops *batch_ops; /* NULL: pictures are not mixed */
    fv_class_table *classes; /* NULL: epochs are not balanced */
    fv_loader *loader;
    int batch_size, height, width;
} fv_source;

typedef struct fv_source_options {
    const char *where; /* "DataLoader.Train", for messages */
    int classes;       /* 0: from the data */
    uint64_t seed;
    bool training;   /* unreadable pictures are replaced, and pictures may be mixed */
    bool unlabelled; /* of lists, see fv_dataset_options */
    int threads;     /* that compute: a default for num_workers, and its bound */
} fv_source_options;

/* Reads and checks every key without opening a file. `where` and `training` as in the options. */
fv_status fv_source_check(fv_config_node *map, const char *where, bool training, fv_error *err);

/* Fails if what both sections read overlaps for sure: the same pictures, split differently. */
fv_status fv_source_compare(fv_config_node *train, fv_config_node *eval, fv_error *err);

/* `map` may be NULL: an error that says which section is missing. The config must outlive it. */
fv_status fv_source_open(fv_source *out, fv_config_node *map, const fv_source_options *options,
                         fv_error *err);
void fv_source_close(fv_source *source); /* accepts all zeros */

#endif /* FV_DATA_SOURCE_H */
