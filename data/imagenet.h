/* SPDX-License-Identifier: Apache-2.0 */
/* data/imagenet.h - lists of ImageNet's pictures, from whatever form it lies in.
 *
 * Understood are: folders by WNID (train, and val as PyTorch wants it); one flat folder for val
 * with the devkit's ground truth and meta.mat, or with any of the usual text files of labels;
 * folders numbered 0 to 999 (ImageNetV2); lists of PaddleClas; and the tar archives of train and
 * val, which are unpacked on request. Written are train_list.txt and val_list.txt ("path number"
 * lines) and labels.txt ("number WNID words").
 *
 * If all WNIDs are ImageNet 2012's, classes get their standard numbers (imagenet_classes.h), also
 * where some are missing; else, or if asked to, they are numbered in the order of their WNIDs.
 */
#ifndef FV_DATA_IMAGENET_H
#define FV_DATA_IMAGENET_H

#include "base/status.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum { FV_IMAGENET_TRAIN, FV_IMAGENET_VAL, FV_IMAGENET_PARTS };

/* Called often. `what` is a constant, "unpacking train, MB"; another one begins another step. */
typedef void fv_imagenet_progress_fn(void *ctx, const char *what, int64_t done, int64_t total);

typedef struct fv_imagenet_options {
    const char *folder;                   /* where it lies; names in the lists start from here */
    const char *out;                      /* folder of the lists; NULL: `folder` */
    const char *parts[FV_IMAGENET_PARTS]; /* a folder, an archive or a list; NULL: looked for */
    const char *labels;                   /* of a flat val; NULL: looked for */
    const char *meta;  /* meta.mat or map_clsloc.txt; NULL: looked for beside the labels */
    const char *words; /* "WNID words" lines; NULL: looked for */
    bool extract;      /* unpack archives; what is there already is kept */
    bool renumber;     /* 0 to classes - 1, although the WNIDs are ImageNet's */
    bool replace;      /* lists that are there and say other things */
    fv_imagenet_progress_fn *progress; /* or NULL */
    void *ctx;
    const volatile sig_atomic_t *stop; /* not 0: give up with FV_ERR_INTERRUPTED; or NULL */
} fv_imagenet_options;

typedef struct fv_imagenet_part {
    bool found;
    char source[PATH_MAX + 256];    /* "/data/val: one folder, labels of ..." */
    int64_t pictures, pictures_due; /* due: in the standard set */
    int64_t unpacked;               /* of those, just now */
    int classes, classes_due;       /* that have pictures */
    int64_t fewest, most;           /* pictures of one of these classes */
    char list[PATH_MAX];            /* the list file */
} fv_imagenet_part;

typedef struct fv_imagenet_report {
    fv_imagenet_part parts[FV_IMAGENET_PARTS];
    int classes;           /* that are numbered */
    bool standard;         /* with ImageNet's numbers */
    char labels[PATH_MAX]; /* the file of names */
} fv_imagenet_report;

/* Whatever differs from the standard set is a warning in the log. Errors are: nothing found, labels
 * that cannot be, labels that contradict the WNIDs or the first pictures of val, no room on the
 * disk, lists that are there and differ. */
fv_status fv_imagenet_prepare(fv_imagenet_report *out, const fv_imagenet_options *options,
                              fv_error *err);

#endif /* FV_DATA_IMAGENET_H */
