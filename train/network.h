/* SPDX-License-Identifier: Apache-2.0 */
/* train/network.h - what a run captures: its model, or models, and while training their loss.
 *
 * Of a DistillationModel all members that learn lie in one graph and one set of parameters: the
 * student's first, named as if it were alone, then those of the others, "<member>.<name>". Frozen
 * members are inputs: their logits, that fv_teachers makes.
 */
#ifndef FV_TRAIN_NETWORK_H
#define FV_TRAIN_NETWORK_H

#include "train/loss.h"

typedef struct fv_network {
    const fv_arch *arch;
    const fv_loss *loss;
    int classes;
    bool mixed; /* targets are probabilities */
} fv_network;

/* A fv_build_fn; ctx is a fv_network. For evaluation the student alone. */
void fv_network_build(fv_graph *g, fv_shape images, void *ctx, fv_bindings *out);

/* Makes the parameters, initialised from `seed`, by capturing the network once for pictures of
 * height x width. *student_count: how many of them, from the first, are the student's. */
fv_status fv_network_params(fv_params **out, int *student_count, const fv_network *network,
                            int height, int width, uint64_t seed, fv_error *err);

#endif /* FV_TRAIN_NETWORK_H */
