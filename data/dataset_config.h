/* SPDX-License-Identifier: Apache-2.0 */
/* data/dataset_config.h - the map DataLoader.Train.dataset or DataLoader.Eval.dataset: where the
 * pictures are, and what is done to them.
 *
 *     name: ImageNetDataset | ClsDataset   image_root, cls_label_path, delimiter
 *           CsvDataset                     image_root, cls_label_path, delimiter, path_column,
 *                                          label_column
 *           TarDataset                     image_root, shards, label_key
 *           PackedDataset                  file
 *     label_list, split: {val_fraction, seed, part}, transform_ops, batch_transform_ops
 */
#ifndef FV_DATA_DATASET_CONFIG_H
#define FV_DATA_DATASET_CONFIG_H

#include "base/config.h"
#include "data/dataset.h"

#include <stdbool.h>

typedef struct fv_dataset_config {
    fv_dataset_options options; /* strings borrowed from the config; classes is 0 */
    const char **shards;        /* behind options.shards; owned */
    fv_config_node *transform_ops, *batch_transform_ops; /* the second may be NULL */
} fv_dataset_config;

/* Reads and checks every key without opening a file. A key that the named class has no use for is
 * an error. Without split.part, the part is the one of the section: `training` or validation. */
fv_status fv_dataset_config_read(fv_dataset_config *out, fv_config_node *map, bool training,
                                 fv_error *err);

/* Fails if both read the same pictures and are split differently, so that parts overlap. */
fv_status fv_dataset_config_compare(fv_config_node *train, fv_config_node *eval, fv_error *err);

void fv_dataset_config_deinit(fv_dataset_config *config); /* accepts all zeros */

#endif /* FV_DATA_DATASET_CONFIG_H */
