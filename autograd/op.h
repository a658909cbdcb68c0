/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/op.h - for those who write an operator.
 *
 * To add one: write ops/<name>.c, add FV_OP(<name>) to ops/ops.def, declare its
 * constructor in ops.h, and write check_<name> in tests/test_ops.c. Without the
 * check the tests do not compile.
 *
 * An operator meets the world three times: infer, while the graph is captured, may fail;
 * measure, while it is planned and after fusion, says what memory it wants; forward and
 * backward run, and can neither fail nor allocate. backward writes the gradients of its inputs
 * from the last to the first, since two of them may be the same tensor.
 */
#ifndef FV_AUTOGRAD_OP_H
#define FV_AUTOGRAD_OP_H

#include "autograd/graph.h"
#include "autograd/ops.h"
#include "autograd/pack.h"
#include "base/threads.h"
#include "kernels/kernels.h"

enum { FV_MAX_INPUTS = 8 };

/* What an operator sees of an input while the graph is captured. */
typedef struct fv_op_input {
    fv_shape shape;        /* all zeros: absent */
    const fv_param *param; /* not NULL: a parameter, with its dims */
} fv_op_input;

/* Which values backward looks at: all others may be gone by then. */
#define FV_READS_IN(i) (1u << (i))
#define FV_READS_OUT   (1u << FV_MAX_INPUTS)

/* What an operator needs besides its inputs and its output. */
typedef struct fv_op_needs {
    unsigned backward_reads;
    unsigned makes_inputs;   /* of backward_reads: could do with the input's raw form */
    bool keeps_raw;          /* `out` could be had from its raw form */
    size_t saved;            /* bytes kept from forward to backward */
    size_t forward_scratch;  /* bytes, lost after forward */
    size_t backward_scratch; /* bytes, lost after backward */
    int pack_count;          /* of packs */
    fv_pack_request packs[FV_MAX_PACKS];
} fv_op_needs;

/* A tensor before its last step: value = act(scale * y + shift), channel by channel. */
typedef struct fv_raw {
    fv_view y; /* .data NULL: absent */
    const float *scale, *shift;
    fv_activation act;
} fv_raw;

/* What an operator sees when it is measured (shapes only, no data) and when it runs. */
typedef struct fv_op_args {
    const fv_kernels *kernels;
    const void *attr; /* the operator's own struct */
    fv_mode mode;
    bool differentiated;                /* a backward follows this forward */
    uint64_t seed, step;                /* of the run: for dropout */
    uint64_t node;                      /* a number of its own in the graph */
    fv_view in[FV_MAX_INPUTS];          /* read only (running statistics excepted) */
    fv_param *params[FV_MAX_INPUTS];    /* the parameter behind in[i], or NULL */
    fv_view out;                        /* written by forward */
    fv_view grad_out;                   /* read by backward, which may also use it as scratch */
    fv_view grad_in[FV_MAX_INPUTS];     /* written by backward; .data == NULL: not wanted */
    bool wants_grad[FV_MAX_INPUTS];     /* whether grad_in[i] will be wanted */
    bool accumulate[FV_MAX_INPUTS];     /* add to grad_in[i] instead of overwriting it */
    const fv_pack *packs[FV_MAX_PACKS]; /* as asked for by measure */
    const fv_raw *raw; /* backward: for each input its raw form, if that is all there is of it */
    void *saved, *scratch; /* 64-byte aligned */
} fv_op_args;

typedef struct fv_op {
    const char *name;
    size_t attr_size;
    /* The only place where an operator may fail. `in` has FV_MAX_INPUTS entries. */
    fv_status (*infer)(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err);
    void (*measure)(const fv_op_args *a, fv_op_needs *needs); /* NULL: needs nothing */
    void (*forward)(const fv_op_args *a);
    void (*backward)(const fv_op_args *a); /* NULL: has no gradient */
    /* The raw form of `out`, from `saved`, between forward and backward; NULL: has none. What only
     * backward reads need not be kept then. */
    fv_raw (*raw)(const fv_op_args *a);
    /* Multiply-adds, for summaries; NULL: none worth counting. */
    uint64_t (*macs)(const fv_op_input *in, const void *attr, fv_shape out);
} fv_op;

/* Appends a node to the graph. `attr` is copied. NULL entries of `in` are absent. */
fv_tensor *fv_graph_apply(fv_graph *g, const fv_op *op, int count, fv_tensor *const in[],
                          const void *attr);

/* ---- How work is cut: by its size alone ------------------------------------------- */

enum { FV_TASK_FLOATS = 1 << 15, FV_TASKS_WANTED = 64 };

static inline int fv_ceil_div(int a, int b) { return (a + b - 1) / b; }

/* Rows per task so that a task touches about FV_TASK_FLOATS floats; at least 1. */
static inline int fv_rows_per_task(int rows, size_t floats_per_row)
{
    const size_t fit = FV_TASK_FLOATS / (floats_per_row ? floats_per_row : 1);
    return fit < 1 ? 1 : fit > (size_t)rows ? fv_max(rows, 1) : (int)fit;
}

#endif /* FV_AUTOGRAD_OP_H */
