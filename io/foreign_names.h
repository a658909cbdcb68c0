/* SPDX-License-Identifier: Apache-2.0 */
/* io/foreign_names.h - how other programs name the tensors of our models; private to io/foreign*.c.
 *
 * A name is the path of a layer and what it is of it, "layer1.0.conv1" and "weight". Paths are
 * rewritten by rules: in a pattern {x}, x being a letter, stands for a number and {*} for any text;
 * in what it becomes, {x}, {x+1} and {x-1} are that number, {x:a} is its letter (a for 0), and {*}
 * is that text.
 */
#ifndef FV_IO_FOREIGN_NAMES_H
#define FV_IO_FOREIGN_NAMES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct fv_rename {
    const char *from, *to; /* NULL ends a list */
} fv_rename;

enum { FV_FOREIGN_RULES = 3, FV_FOREIGN_UNUSED = 4 };

/* Files of one program for some of our models. */
typedef struct fv_foreign {
    const char *models;  /* fnmatch(3) of names of ours */
    const char *marker;  /* a tensor that only such a file has */
    const char *program; /* whose they are, for messages */
    const char *refused; /* why they do not fit at all, or NULL; all below is then unused */
    const char *note;    /* what else to know, or NULL */
    /* Of each list the first rule that fits is applied, one list after the other. */
    const fv_rename *rules[FV_FOREIGN_RULES];
    const char *unused[FV_FOREIGN_UNUSED]; /* fnmatch(3) of layers that ours does without */
    const char *identity; /* a 1x1 convolution with batch norm that only ours has, or NULL */
    const char *width;    /* the tensor whose first dimension says how wide it is */
    double epsilon;       /* of their batch norms, where not ours: 0 */
    const char *head;     /* the last layer, where dropout scales features in our inference only */
    double kept;          /* by this, or 0 */
} fv_foreign;

/* The last one has no `models`. */
extern const fv_foreign fv_foreign_table[];

/* Rewrites `path` in place; false: the result does not fit into `size`. */
bool fv_foreign_rename(char *path, size_t size, const fv_rename *rules);

#endif /* FV_IO_FOREIGN_NAMES_H */
