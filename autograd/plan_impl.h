/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/plan_impl.h - the inside of a plan. For autograd/ only.
 *
 * A plan is made in these passes over a copy of the list of nodes:
 *
 *   prune     drop what neither the loss nor an output needs          plan.c
 *   fuse      merge operators                                          fuse.c
 *   flow      whose gradient is written where, first or added to       plan_flow.c
 *   measure   ask the operators for memory and packed weights          plan.c
 *   live      what is made once more, and when is each buffer
 *             first and last touched?                                  plan_live.c
 *   layout    give each buffer an offset in the slab                   layout.c
 *   replicate with many images: once for each thread                  plan_images.c
 *   resolve   write down every pointer                                 plan.c
 *
 * Time runs from 0 to 2n - 1: step i goes forward at i and backward at 2n - 1 - i.
 */
#ifndef FV_AUTOGRAD_PLAN_IMPL_H
#define FV_AUTOGRAD_PLAN_IMPL_H

#include "autograd/graph_impl.h"
#include "autograd/layout.h"
#include "autograd/plan.h"

/* A tensor has three buffers, the last for its value made once more, and a step three. */
enum { FV_VALUE, FV_GRAD, FV_AGAIN, FV_PER_TENSOR };
enum { FV_SAVED, FV_SCRATCH_FORWARD, FV_SCRATCH_BACKWARD, FV_PER_STEP };

typedef struct fv_step {
    const fv_node *node;
    fv_op_args args;
    fv_op_needs needs;
    bool first_of_param
        [FV_MAX_INPUTS];          /* input is a parameter whose gradient is first written here */
    int raw_from[FV_MAX_INPUTS];  /* 1 + the step whose raw output backward reads; 0: none */
    fv_raw raw[FV_MAX_INPUTS];    /* resolved */
    fv_view again[FV_MAX_INPUTS]; /* what backward reads for an input; .data NULL: the input */
    double forward_seconds, backward_seconds;
    const char *label;
} fv_step;

/* Channels of a gradient that nobody has written when `step` reads or adds to it. */
typedef struct fv_clear {
    int step;
    fv_tensor *root;
    int first, count;
    fv_view view; /* resolved */
} fv_clear;

struct fv_slab {
    char *memory;
    size_t bytes;
    uint64_t generation; /* moves when memory does */
    fv_list packs;       /* of fv_pack */
};

/* Before step `reader` goes backward, step `writer` makes its output once more. */
typedef struct fv_remake {
    int reader, writer;
} fv_remake;

struct fv_plan {
    fv_graph *graph;
    const fv_kernels *kernels;
    fv_slab *slab;
    uint64_t slab_generation; /* of the pointers */
    fv_arena arena;           /* nodes, labels, clears */
    fv_list nodes;            /* the plan's own fv_node */
    fv_list clears;           /* of fv_clear, in order of decreasing step */
    fv_list remakes;          /* of fv_remake, in order of decreasing reader */
    fv_list unreached;        /* of fv_param: trained, but without influence on the loss */
    fv_list packs;            /* of fv_pack, borrowed from the slab */
    fv_tensor *loss;
    fv_list kept; /* of fv_tensor: the loss and the outputs */
    int steps_count;
    fv_step *steps;
    fv_buffer *buffers; /* FV_PER_TENSOR per tensor, then FV_PER_STEP per step */
    int buffer_count;
    const float **fed; /* per tensor: data of inputs */
    size_t bytes;
    int threads; /* scratch is laid out for so many */
    /* With many images, plan_images.c; else 0. */
    int images;
    size_t replica_bytes; /* from the memory of one thread to that of the next */
    size_t outputs_at;    /* from the start of the slab: the kept tensors of all images */
    double *seconds;      /* [threads][steps] */
};

static inline fv_buffer *fv_tensor_buffer(const fv_plan *p, const fv_tensor *root, int kind)
{
    return &p->buffers[root->id * FV_PER_TENSOR + kind];
}

static inline fv_buffer *fv_step_buffer(const fv_plan *p, int step, int kind)
{
    return &p->buffers[p->graph->tensors.count * FV_PER_TENSOR + step * FV_PER_STEP + kind];
}

/* Where a buffer of a step, or a tensor (FV_VALUE, FV_GRAD or FV_AGAIN), lies now; .data NULL:
 * nowhere. */
void *fv_plan_buffer(const fv_plan *p, int step, int kind);
fv_view fv_plan_resolve(const fv_plan *p, fv_tensor *t, int kind);

/* Many images: room for each thread, the replay, and where an output of all of them lies. */
fv_status fv_plan_replicate(fv_plan *p, int images, fv_error *err);
void fv_plan_run_images(fv_plan *p);
fv_view fv_plan_images_value(const fv_plan *p, fv_tensor *t);

/* The gradient of a tensor after backward; for tests, with keep_memory. */
fv_view fv_plan_gradient(const fv_plan *p, fv_tensor *t);

/* The passes of the table above. */
fv_status fv_plan_flow(fv_plan *p, fv_error *err);
fv_status fv_plan_live(fv_plan *p, bool keep_memory, fv_error *err);

#endif /* FV_AUTOGRAD_PLAN_IMPL_H */
