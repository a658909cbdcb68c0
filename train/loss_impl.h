/* SPDX-License-Identifier: Apache-2.0 */
/* train/loss_impl.h - what reading and building losses share. For train/ only. */
#ifndef FV_TRAIN_LOSS_IMPL_H
#define FV_TRAIN_LOSS_IMPL_H

#include "train/loss.h"

/* Of one model: all its outputs; of a pair: the main outputs of both; `teacher` NULL: labels. */
typedef struct fv_loss_sides {
    const fv_loss_model *model;
    fv_tensor *learner, *teacher, *targets;
} fv_loss_sides;

typedef fv_tensor *fv_loss_fn(fv_graph *g, const fv_loss_term *term, const fv_loss_sides *s);

struct fv_loss_kind {
    const char *name;
    const fv_field *fields;
    fv_loss_fn *build;
    enum { FV_OF_ONE, FV_OF_MEMBERS, FV_OF_PAIRS } of;
    bool labels; /* wants those of the pictures */
    bool mutual; /* the teacher learns too */
};

fv_loss_fn fv_loss_ce, fv_loss_googlenet, fv_loss_distill_ce, fv_loss_kl, fv_loss_dml, fv_loss_dkd,
    fv_loss_dist, fv_loss_wsl;

#endif /* FV_TRAIN_LOSS_IMPL_H */
