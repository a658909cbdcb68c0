/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/plan.h - a graph made ready to run: fused, memory laid out, pointers resolved.
 *
 * Making a plan may fail; replaying it cannot, and allocates nothing. A plan lives in a
 * slab that it shares with other plans which never run at the same time (the plans of one
 * network for different batch shapes and modes): nothing in the slab survives from one
 * replay to the next but by the plan that ran last.
 */
#ifndef FV_AUTOGRAD_PLAN_H
#define FV_AUTOGRAD_PLAN_H

#include "autograd/graph.h"
#include "kernels/kernels.h"

typedef struct fv_plan fv_plan;

/* Memory that plans share; grows to the largest of them. */
typedef struct fv_slab fv_slab;
fv_status fv_slab_create(fv_slab **out, fv_error *err);
void fv_slab_destroy(fv_slab *slab); /* accepts NULL; after its plans */
size_t fv_slab_bytes(const fv_slab *slab);

typedef struct fv_plan_options {
    fv_tensor *loss;           /* a scalar to differentiate; NULL: forward only */
    fv_tensor *const *outputs; /* values to keep to the end of a replay */
    int output_count;
    int images;          /* if > 1: the graph is for one picture, and a replay forward runs it for
                            so many, one after the other in each thread; inputs and outputs are
                            those of all. For graphs without loss. 0 and 1: as captured */
    uint64_t seed;       /* of dropout */
    bool keep_memory;    /* for tests: never let two values share memory */
    bool keep_operators; /* for tests: do not fuse */
} fv_plan_options;

/* `graph`, `kernels` and `slab` are borrowed and must outlive the plan. One plan per graph.
 * Scratch is laid out for fv_threads_count() threads: replays may use fewer later, not more. */
fv_status fv_plan_create(fv_plan **out, fv_graph *graph, const fv_kernels *kernels, fv_slab *slab,
                         const fv_plan_options *options, fv_error *err);
void fv_plan_destroy(fv_plan *plan); /* accepts NULL */

/* Says where an input's data lies (dense, borrowed, read during replays until fed anew). */
void fv_plan_feed(fv_plan *plan, fv_tensor *input, const float *data);

/* Where an output or the loss lies; valid until another plan of the slab is made or replayed. */
fv_view fv_plan_value(const fv_plan *plan, fv_tensor *t);

void fv_plan_set_step(fv_plan *plan, uint64_t step); /* which dropout masks to draw */

void fv_plan_forward(fv_plan *plan);
/* Overwrites the gradients of all parameters the loss depends on; with `accumulate`, adds. */
void fv_plan_backward(fv_plan *plan, bool accumulate);

/* After a replay: the scope of the first node, in order of execution, with an output that is not
 * finite, or NULL. Replays forward once more, node by node. */
const char *fv_plan_find_nonfinite(fv_plan *plan);

/* The nodes after fusion. */
int fv_plan_node_count(const fv_plan *plan);
fv_node_info fv_plan_node_info(const fv_plan *plan, int i);
/* Seconds spent in each node since the start, forward and backward; with many images, the mean over
 * the threads. */
void fv_plan_node_seconds(const fv_plan *plan, int i, double *forward, double *backward);

/* What a node has at least to do in one replay. */
typedef struct fv_pass_work {
    uint64_t macs;  /* multiply-adds of convolutions and linear layers, as if made one by one */
    uint64_t bytes; /* all that is read or written, each once; weights once for all images */
} fv_pass_work;

typedef struct fv_node_work {
    char kind[32]; /* "conv 3x3", "winograd 3x3", "grouped 3x3", "depthwise 3x3", else the
                      operator's name */
    fv_shape out;  /* of all images */
    fv_pass_work forward, backward; /* backward: all zeros if the node has none */
} fv_node_work;

/* A node's share of a replay forward, and of one backward with what it makes again for others. */
fv_node_work fv_plan_node_work(const fv_plan *plan, int i);

size_t fv_plan_bytes(const fv_plan *plan);       /* what was laid out */
size_t fv_plan_bytes_apart(const fv_plan *plan); /* the same without sharing */
size_t fv_plan_bytes_copied(
    const fv_plan *plan); /* by concatenations that could not be views, per replay */

#endif /* FV_AUTOGRAD_PLAN_H */
