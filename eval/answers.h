/* SPDX-License-Identifier: Apache-2.0 */
/* eval/answers.h - what a model said about each picture, kept and written down.
 *
 * A file of answers is a table without a head, one line per picture, separated by tabs:
 *
 *     name of the picture | label | class of the best answer | its probability
 *
 * A picture that could not be read has the class -1 and the probability 0.
 */
#ifndef FV_EVAL_ANSWERS_H
#define FV_EVAL_ANSWERS_H

#include "eval/evaluator.h"

typedef struct fv_answers_row {
    const char *name; /* of the picture; borrowed from the data set, or from `text` below */
    int label;        /* the right class */
    int best;         /* the model's; -1: the picture is unreadable */
    float probability;
} fv_answers_row;

typedef struct fv_answers {
    fv_answers_row *rows; /* owned */
    size_t count, room;
    char *text;  /* owned: all names of a file; NULL: not from a file */
    bool failed; /* rows are missing: out of memory */
} fv_answers;

void fv_answers_clear(fv_answers *answers);  /* forgets the rows, keeps the memory */
void fv_answers_deinit(fv_answers *answers); /* accepts an all-zero struct */

/* `name` must outlive the answers. A failure sticks, and is reported by fv_answers_save(). */
void fv_answers_add(fv_answers *answers, const char *name, const fv_answer *answer);

/* Replaces `path`, atomically. Control characters in names become '?'. */
fv_status fv_answers_save(const fv_answers *answers, const char *path, fv_error *err);

/* Labels are in [0, FV_ANSWERS_CLASSES), best answers too or -1, probabilities in [0, 1]; a NAN is
 * read as 0. Messages name the line. */
enum { FV_ANSWERS_CLASSES = 1000000 };
fv_status fv_answers_load(fv_answers *out, const char *path, fv_error *err);

#endif /* FV_EVAL_ANSWERS_H */
