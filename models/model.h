/* SPDX-License-Identifier: Apache-2.0 */
/* models/model.h - the zoo: from a name to a graph. */
#ifndef FV_MODELS_MODEL_H
#define FV_MODELS_MODEL_H

#include "autograd/program.h"

typedef struct fv_model_options {
    int classes; /* >= 1 */
} fv_model_options;

typedef struct fv_model fv_model;

/* Appends the model to the graph: images [n, h, w, 3] to logits [n, 1, 1, classes]. Writes up to
 * FV_MAX_OUTPUTS of them, the main ones first, and returns how many. */
typedef int fv_model_fn(fv_graph *g, fv_tensor *images, const fv_model *model,
                        const fv_model_options *o, fv_tensor *outputs[]);

struct fv_model {
    const char *name;  /* PaddleClas's, "MobileNetV2_x0_25" */
    const char *paper; /* "arXiv:1801.04381" */
    int image_size;    /* default input, both ways, pixels */
    /* Prefixes of the parameters whose shape depends on `classes`, "out."; of each output's
     * classifier, in the order of the outputs, then NULL. */
    const char *heads[FV_MAX_OUTPUTS + 1];
    fv_model_fn *build;
    float width;         /* of families that scale: multiplies channels */
    const void *variant; /* of families with tables: the family's own */
};

const fv_model *fv_model_find(const char *name); /* NULL: unknown */
const fv_model *fv_model_at(int i);              /* NULL: past the last */
const char *fv_model_nearest(const char *name);  /* for "did you mean", or NULL */

#endif /* FV_MODELS_MODEL_H */
