/* SPDX-License-Identifier: Apache-2.0 */
/* data/imagenet_impl.h - the steps of fv_imagenet_prepare(). */
#ifndef FV_DATA_IMAGENET_IMPL_H
#define FV_DATA_IMAGENET_IMPL_H

#include "base/memory.h"
#include "data/dataset.h"
#include "data/imagenet.h"

#include <stddef.h>

/* ---- Lines of a text file ---- */

typedef struct fv_text_lines {
    const char *path; /* for messages */
    char *text;       /* owned */
    char *next;
    long number; /* of the line at hand, from 1 */
} fv_text_lines;

/* Reads the file; one with a zero byte in it is refused. A byte order mark is skipped. */
fv_status fv_text_lines_open(fv_text_lines *lines, const char *path, fv_error *err);
/* The next line that is not blank, without blanks at its ends, which the caller may cut up; NULL
 * after the last. */
char *fv_text_lines_next(fv_text_lines *lines);
void fv_text_lines_close(fv_text_lines *lines); /* accepts all zeros */

/* ---- Synsets: what the devkit's numbers mean, and words ---- */

typedef struct fv_synset {
    uint32_t wnid;
    int id;            /* in the devkit; 0: not known */
    const char *words; /* in the arena; "": none */
} fv_synset;

typedef struct fv_synsets {
    fv_synset *items;
    int count;
    size_t room;
    fv_arena arena;
} fv_synsets;

/* Adds those of a file: meta.mat (the leaves of its tree), or text with a WNID, perhaps a devkit
 * number, and words in each line: map_clsloc.txt, synset_words.txt, LOC_synset_mapping.txt. */
fv_status fv_synsets_load(fv_synsets *synsets, const char *path, fv_error *err);
const fv_synset *fv_synsets_by_id(const fv_synsets *synsets, int id);   /* or NULL */
const char *fv_synsets_words(const fv_synsets *synsets, uint32_t wnid); /* "": none known */
void fv_synsets_deinit(fv_synsets *synsets);

/* ---- Labels of val ---- */

typedef struct fv_val_label {
    const char *name; /* of the file, without folders; in the arena */
    uint32_t wnid;
} fv_val_label;

typedef struct fv_val_labels {
    fv_val_label *items; /* in the order of the file */
    int64_t count;
    size_t room;
    fv_arena arena;
} fv_val_labels;

/* Told apart by the first line:
 *     n01751748                               line i is ILSVRC2012_val_<i>.JPEG
 *     490                                     the same, by the devkit's numbers, which need synsets
 *     val/ILSVRC2012_val_00000001.JPEG 65     ImageNet's numbers
 *     ILSVRC2012_val_00000001.JPEG n01751748
 *     ImageId,PredictionString                Kaggle's table: "name,WNID box WNID box" lines
 * Devkit numbers without synsets are an error that asks for meta.mat. */
fv_status fv_val_labels_load(fv_val_labels *labels, const char *path, const fv_synsets *synsets,
                             fv_error *err);
void fv_val_labels_deinit(fv_val_labels *labels);

/* ---- Where the pictures are ---- */

typedef enum fv_layout {
    FV_LAYOUT_NONE,
    FV_LAYOUT_WNIDS,   /* folders by WNID */
    FV_LAYOUT_NUMBERS, /* folders 0 to 999 */
    FV_LAYOUT_FLAT,    /* pictures in one folder */
    FV_LAYOUT_LIST     /* "path number" lines */
} fv_layout;

typedef struct fv_imagenet_place {
    fv_layout layout;
    char path[PATH_MAX];   /* the folder, or the list; "": there is neither */
    char prefix[PATH_MAX]; /* what names in our lists begin with: "train", "/other/disk/val", "" */
    char tar[PATH_MAX];    /* the archive; "": none */
    int64_t pictures;      /* of a flat folder */
} fv_imagenet_place;

/* Finds a part; fields stay empty where there is nothing. The layout is not known yet. */
fv_status fv_imagenet_find(fv_imagenet_place *out, const fv_imagenet_options *o, int part,
                           fv_error *err);
/* Looks into the folder. */
fv_status fv_imagenet_look(fv_imagenet_place *place, int part, fv_error *err);
/* Paths of the files beside: "" if there is none. */
fv_status fv_imagenet_find_labels(char out[PATH_MAX], const fv_imagenet_options *o, fv_error *err);
fv_status fv_imagenet_find_meta(char out[PATH_MAX], const fv_imagenet_options *o,
                                const char *labels, fv_error *err);
fv_status fv_imagenet_find_words(char out[PATH_MAX], const fv_imagenet_options *o, fv_error *err);

/* Unpacks the archive into the folder, or else those of single classes that lie in it. Files that
 * are there with the right size are kept. Counts the files written. */
fv_status fv_imagenet_extract(const fv_imagenet_place *place, const fv_imagenet_options *o,
                              int part, int64_t *files, fv_error *err);

/* ---- All of it ---- */

/* One part while it is worked on. Its samples are those of the data set, or of the labels. */
typedef struct fv_imagenet_sample_set {
    int part; /* FV_IMAGENET_TRAIN or FV_IMAGENET_VAL */
    fv_imagenet_place place;
    fv_dataset *dataset;        /* NULL: a flat folder, or nothing */
    uint32_t *wnids;            /* [classes of the data set] */
    fv_val_labels labels;       /* of a flat folder */
    char labels_path[PATH_MAX]; /* where they are from */
    char *text;                 /* of the list */
    size_t bytes, room;
} fv_imagenet_sample_set;

typedef struct fv_imagenet_job {
    const fv_imagenet_options *o;
    fv_imagenet_report *report;
    fv_imagenet_sample_set sets[FV_IMAGENET_PARTS];
    fv_synsets synsets;
    uint32_t *wnids; /* of the classes, in order */
    int classes;
} fv_imagenet_job;

/* The number of a class of one of the samples. */
int fv_imagenet_number(const fv_imagenet_job *job, uint32_t wnid);

/* Makes the list of a part, counts, and warns of what is not as it should be. */
fv_status fv_imagenet_list(fv_imagenet_job *job, fv_imagenet_sample_set *set, fv_error *err);
/* Writes the lists and the names of the classes: all, or, if one cannot be, none. */
fv_status fv_imagenet_write(fv_imagenet_job *job, fv_error *err);

#endif /* FV_DATA_IMAGENET_IMPL_H */
