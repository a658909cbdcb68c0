/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/graph.h - capture a computation once, to plan and replay it later.
 *
 * Building a graph computes nothing. The order of the calls is the order of
 * execution; backward is the same list read from the end.
 *
 * Errors while building are sticky. The first one is kept, together with the
 * scope it happened in ("stage3.0.expand"); from then on every call returns NULL
 * and every call accepts NULL. So a model is written without a single `if`, and
 * asked once, at the end: fv_graph_check().
 */
#ifndef FV_AUTOGRAD_GRAPH_H
#define FV_AUTOGRAD_GRAPH_H

#include "autograd/params.h"
#include "base/shape.h"
#include "base/status.h"

typedef struct fv_graph fv_graph;   /* owns its nodes and tensors */
typedef struct fv_tensor fv_tensor; /* a value in a graph; borrowed, dies with it */

typedef enum fv_mode { FV_EVAL, FV_TRAIN } fv_mode;

/* `params` is borrowed and must outlive the graph. Several graphs may share it. */
fv_status fv_graph_create(fv_graph **out, fv_params *params, fv_mode mode, fv_error *err);
void fv_graph_destroy(fv_graph *graph); /* accepts NULL */

/* FV_OK, or the first error met while building. */
fv_status fv_graph_check(const fv_graph *graph, fv_error *err);

/* For layers and models that refuse something; the first error wins. Returns NULL. */
fv_tensor *fv_graph_fail(fv_graph *g, const char *format, ...) FV_PRINTF(2, 3);

/* What the graph was made with, and the shape of a tensor. */
fv_mode fv_graph_mode(const fv_graph *graph);
fv_params *fv_graph_params(fv_graph *graph);
fv_shape fv_tensor_shape(const fv_tensor *t); /* all zeros for NULL */

/* From here on fv_dropout() returns its input: for comparisons that want no chance. */
void fv_graph_skip_dropout(fv_graph *g);

/* What was captured, in order of execution and before any fusion; for summaries. */
typedef struct fv_node_info {
    const char *scope, *op;
    fv_shape in, out;
    size_t params; /* trained floats of the node's parameters */
    uint64_t macs; /* multiply-adds of convolutions and linear layers, the whole batch */
} fv_node_info;

/* i in [0, count). The strings live as long as the graph. */
int fv_graph_node_count(const fv_graph *graph);
fv_node_info fv_graph_node_info(const fv_graph *graph, int i);

/* A value fed from outside before each replay. */
fv_tensor *fv_input(fv_graph *g, fv_shape shape);

/* A parameter named "<scopes>.<name>", created on first use. Seen by operators as a vector
 * [1, 1, 1, count]; they know its dims. */
fv_tensor *fv_param_tensor(fv_graph *g, const char *name, fv_role role, int rank, const int *dims,
                           fv_init init);

/* Names of what is built until the matching pop are prefixed with "<name>.". */
void fv_scope_push(fv_graph *g, const char *name);
void fv_scope_pushf(fv_graph *g, const char *format, ...) FV_PRINTF(2, 3);
void fv_scope_pop(fv_graph *g);

/* Channels [first, first + count) of x: a view, no data moves, ever. */
fv_tensor *fv_slice(fv_graph *g, fv_tensor *x, int first, int count);

/* x as a constant: a view that gives no gradient back. */
fv_tensor *fv_detach(fv_graph *g, fv_tensor *x);

/* All channels of parts[0], then of parts[1], ... The parts are made views of the
 * result, so that their producers write in place. Only a part which already lives
 * elsewhere (an input, a parameter, a part of another concatenation) is copied. */
fv_tensor *fv_concat(fv_graph *g, int count, fv_tensor *const parts[]);

#endif /* FV_AUTOGRAD_GRAPH_H */
