/* SPDX-License-Identifier: Apache-2.0 */
/* train/settings.h - a whole configuration, read once and strictly.
 *
 * The grammar is PaddleClas's: Global, Arch, Loss, Optimizer, DataLoader, Metric, Infer, EMA, AMP.
 * Keys that mean nothing here are known and ignored; what would change the result and is not there
 * is an error.
 */
#ifndef FV_TRAIN_SETTINGS_H
#define FV_TRAIN_SETTINGS_H

#include "base/config.h"
#include "models/arch.h"
#include "train/loss.h"

/* Section Global. Strings are borrowed from the config; NULL where not given. */
typedef struct fv_global_settings {
    const char *checkpoints;      /* to resume from; the ".h5" may be left out */
    const char *pretrained_model; /* to start from; the extension may be left out */
    const char *output_dir;
    int device;                               /* 0: cpu; others are taken as that */
    int epochs, save_interval, eval_interval; /* epochs */
    int start_eval_epoch;                     /* the first that is evaluated, from 1 */
    int print_batch_step;                     /* steps between rows of the log */
    int64_t save_steps;                       /* also save every so many steps; 0: no */
    int keep_checkpoints; /* epoch_<n>.h5 files to keep beside latest.h5, one per save_interval */
    bool eval_during_train;
    int64_t seed;
    int class_num;          /* 0: not given */
    fv_config_node *freeze; /* list of patterns of parameter names, or NULL */
    bool freeze_statistics; /* frozen layers keep their running statistics too */
    bool tensorboard;       /* event files in output_dir/tensorboard */
    bool weight_histograms; /* in them, after each epoch */
    bool use_visualdl, use_multilabel;
    int update_freq; /* batches per step of the optimiser */
    fv_config_node *early_stop;
    const char *eval_mode, *train_mode;
} fv_global_settings;

/* Section Infer. */
typedef struct fv_infer_settings {
    const char *infer_imgs, *infer_list, *save_dir; /* NULL: not given */
    int batch_size;
    fv_config_node *transforms;    /* for fv_pipeline_create(); NULL: not given */
    int topk;                      /* PostProcess.topk */
    const char *class_id_map_file; /* PostProcess.class_id_map_file: "id name" lines, or NULL */
} fv_infer_settings;

/* Map Global.early_stop. */
typedef struct fv_early_stop_settings {
    int patience; /* evaluations in which Top-1 does not rise by more than delta; 0: never */
    double delta; /* a fraction */
} fv_early_stop_settings;

typedef struct fv_settings {
    fv_config *config; /* borrowed: must outlive the settings */
    fv_global_settings global;
    fv_arch arch;
    int class_num;    /* Arch.class_num, else Global.class_num, else 0: from the data */
    fv_loss loss;     /* Loss.Train */
    double ema_decay; /* EMA.decay; -1: no EMA */
    fv_early_stop_settings early_stop;
    fv_infer_settings infer;              /* defaults where the section is absent */
    fv_config_node *optimizer, *schedule; /* Optimizer and Optimizer.lr; NULL: absent */
    fv_config_node *train, *eval;         /* DataLoader.Train and .Eval; NULL: absent */
} fv_settings;

/* Checks every section that is there, the lists of transforms, the optimiser and the schedule
 * included; opens no file. Which sections a command needs is its own to say. */
fv_status fv_settings_read(fv_settings *out, fv_config *config, fv_error *err);

#endif /* FV_TRAIN_SETTINGS_H */
