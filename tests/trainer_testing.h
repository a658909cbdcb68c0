/* SPDX-License-Identifier: Apache-2.0 */
/* tests/trainer_testing.h - a real model that is trained on a few pictures. */
#ifndef FV_TESTS_TRAINER_TESTING_H
#define FV_TESTS_TRAINER_TESTING_H

#include "testing.h"

#include "train/trainer.h"

#include <signal.h>

enum { PICTURES = 22, BATCH = 6, BATCHES = 4, CLASSES = 3 }; /* the last batch has 4 */

typedef struct experiment {
    /* what to do */
    const char *folder;       /* of the output, below the test's */
    const char *overrides[8]; /* as with -o */
    int threads;              /* 0: 1 */
    double scores[8];         /* Top-1 that the evaluations find; unless `unevaluated` */
    bool unevaluated;
    bool mixes;         /* the overrides mix pictures */
    int64_t stop_step;  /* ask to stop after this step */
    int64_t stop_batch; /* ... after this batch of this process */
    int64_t kill_batch; /* end by SIGKILL after it */
    void (*watch)(struct experiment *e, const fv_train_event *event); /* or NULL */
    int64_t stop_evaluation; /* ... while this evaluation is going on, from 1 */
    int64_t copy_step;       /* copy latest.h5 to copy.h5 after this step */
    int64_t shrink_step;     /* files may not grow from this step ... */
    int64_t widen_step;      /* ... up to this */
    /* what came out */
    fv_status status;
    uint32_t checksum;
    fv_progress progress;
    int evaluations, bests, saves;
    int64_t batches;
    double answers[8]; /* of the evaluations: sums of logits */
    /* inside */
    const fv_trainer *trainer; /* while it runs */
    volatile sig_atomic_t stop;
    char path[300];
} experiment;

extern char told[8192]; /* what the last run logged, line by line */

/* The message, if any, is in testing_err. */
fv_status run(experiment *e);

/* A file of the run's folder; valid until the next call. */
const char *inside(const experiment *e, const char *name);

/* From now on files may not grow beyond 64 KiB, or may again. */
void limit_files(bool small);

enum { CSV_BYTES = 1 << 16 };
void read_csv(const experiment *e, char csv[CSV_BYTES]);

/* Rows of metrics.csv without the columns that measure time. */
void assert_same_rows(const experiment *a, const experiment *b);

#endif /* FV_TESTS_TRAINER_TESTING_H */
