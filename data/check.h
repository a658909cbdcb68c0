/* SPDX-License-Identifier: Apache-2.0 */
/* data/check.h - what is wrong with a data set, before anything is trained on it.
 *
 * A data set has a part to train on and, mostly, one to validate on. Findings are about pictures
 * or about classes: a bit on each of those; or about lines of lists.
 */
#ifndef FV_DATA_CHECK_H
#define FV_DATA_CHECK_H

#include "base/list.h"
#include "data/twins.h"

/* What a finding is about. */
typedef enum fv_check_about { FV_ABOUT_PICTURES, FV_ABOUT_CLASSES, FV_ABOUT_LINES } fv_check_about;

/* Name for programs, what it is for people, what it is about. All are problems. */
#define FV_CHECK_LIST(X) \
    X(FV_CHECK_LINES, "bad_lines", "line of a list that cannot be used", FV_ABOUT_LINES) \
    X(FV_CHECK_UNREADABLE, "unreadable", "cannot be read", FV_ABOUT_PICTURES) \
    X(FV_CHECK_RANGE, "labels_out_of_range", "label is not below the number of classes", \
      FV_ABOUT_PICTURES) \
    X(FV_CHECK_CONFLICT, "conflicting_labels", "the same picture has another label elsewhere", \
      FV_ABOUT_PICTURES) \
    X(FV_CHECK_OVERLAP, "overlap", "validation picture that is also trained on", \
      FV_ABOUT_PICTURES) \
    X(FV_CHECK_DUPLICATE, "duplicates", "copy of a picture before it in the same part", \
      FV_ABOUT_PICTURES) \
    X(FV_CHECK_NAMES, "class_names_differ", "class is called otherwise in validation", \
      FV_ABOUT_CLASSES) \
    X(FV_CHECK_EMPTY, "classes_without_training", "class without a picture to train on", \
      FV_ABOUT_CLASSES) \
    X(FV_CHECK_MISSING, "classes_missing_in_val", "class without a picture to validate on", \
      FV_ABOUT_CLASSES)

typedef enum fv_check_kind {
#define X(name, key, text, about) name,
    FV_CHECK_LIST(X)
#undef X
        FV_CHECK_ODD, /* the oddities of data/inspect.h follow */
    FV_CHECK_KINDS = FV_CHECK_ODD + FV_ODDITIES
} fv_check_kind;

typedef struct fv_check_fact {
    const char *key, *text;
    bool problem; /* or only worth knowing */
    fv_check_about about;
} fv_check_fact;
extern const fv_check_fact fv_check_facts[FV_CHECK_KINDS];

/* Lines of lists that were left out, as fv_dataset_options.bad_line tells of them. */
typedef struct fv_check_lines {
    int64_t count;
    fv_list messages; /* of the first ones, FV_CENSUS_REASONS at most; borrowed */
} fv_check_lines;

typedef struct fv_check {
    fv_census parts[FV_TWINS_PARTS]; /* to train on, to validate on */
    int part_count;                  /* 1 or 2 */
    uint32_t *flags[FV_TWINS_PARTS]; /* [count of the part]: bits 1 << fv_check_kind */
    int classes;                     /* as given, or as many as there are labels */
    uint32_t *class_flags;           /* [classes] */
    fv_twins twins;
    const fv_check_lines *lines;   /* borrowed, or NULL */
    int64_t found[FV_CHECK_KINDS]; /* how many pictures or classes have the bit */
} fv_check;

typedef struct fv_check_options {
    const fv_dataset *parts[FV_TWINS_PARTS]; /* borrowed; the second may be NULL. Opened with
                                                classes = 0, so that all labels are seen */
    int classes;                             /* labels must be below; 0: any will do */
    const fv_check_lines *lines;             /* borrowed, or NULL */
    void (*progress)(void *ctx, int64_t done, int64_t total); /* or NULL */
    void *ctx;
    const volatile sig_atomic_t *stop;
} fv_check_options;

fv_status fv_check_run(fv_check *out, const fv_check_options *options, fv_error *err);
void fv_check_deinit(fv_check *check); /* accepts an all-zero struct */

/* One finding. */
typedef struct fv_check_item {
    fv_place place;          /* the picture */
    const fv_place *partner; /* the other one if it is about two, else NULL: of a duplicate and an
                                overlap the first, of a conflict the first with another label */
    int label;               /* of the picture; or the class that it is about */
    const char *line;        /* what is wrong with the line that it is about, else NULL */
} fv_check_item;

/* The first `limit` findings of a kind, in the order of parts, pictures, and classes; but those
 * about two pictures in the order of the first ones. */
typedef void fv_check_fn(void *ctx, const fv_check_item *item);
void fv_check_each(const fv_check *check, fv_check_kind kind, int64_t limit, fv_check_fn *fn,
                   void *ctx);

/* How many of a part have a label; 0 for a label that it does not know. */
int64_t fv_check_class_count(const fv_check *check, int part, int label);

/* Name of a class in a part, or else in the other one, or NULL; borrowed. */
const char *fv_check_class_name(const fv_check *check, int part, int label);

#endif /* FV_DATA_CHECK_H */
