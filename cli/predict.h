/* SPDX-License-Identifier: Apache-2.0 */
/* cli/predict.h - the parts of fovea predict. */
#ifndef FV_CLI_PREDICT_H
#define FV_CLI_PREDICT_H

#include "cli/options.h"
#include "data/transform.h"
#include "eval/labels.h"
#include "eval/pictures.h"
#include "eval/predictor.h"
#include "eval/stored.h"
#include "train/settings.h"

typedef struct fv_predict_options {
    const char *model, *weights, *root, *labels;
    int profile, filter, rounding; /* -1: not given */
    int batch;
    int resize_short, crop, topk; /* 0: not given */
    fv_floats mean, std;
} fv_predict_options;

/* What is predicted with what, from options, a configuration (or none) and the file of weights, in
 * this order. */
typedef struct fv_predict_job {
    fv_arguments arguments; /* borrowed parts; --json is Infer.save_dir where it was not given */
    const fv_predict_options *options;
    char json[4096];   /* behind arguments.json in that case */
    fv_config *config; /* of -c, or NULL */
    fv_settings settings;
    const fv_model *model;
    fv_stored stored;
    int classes;
    fv_config *stored_config; /* of the checkpoint, or NULL */
    fv_pipeline *pipeline;
    fv_labels labels;
    fv_pictures pictures;
} fv_predict_job;

/* Finds all of it; what was found is released by fv_predict_release() in any case. */
fv_status fv_predict_prepare(fv_predict_job *job, const fv_arguments *arguments, fv_error *err);
void fv_predict_release(fv_predict_job *job);

/* The table for people. Its columns are as wide as needed, and as the terminal allows. */
typedef struct fv_predict_table {
    FILE *out;
    const fv_labels *labels;
    int file_columns, name_columns; /* 0 names: there are none */
} fv_predict_table;

void fv_predict_table_begin(fv_predict_table *table, FILE *out, const fv_pictures *pictures,
                            const fv_labels *labels);
void fv_predict_table_add(const fv_predict_table *table, const fv_prediction *prediction);

#endif /* FV_CLI_PREDICT_H */
