/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/graph_impl.h - the inside of a graph. For autograd/ only. */
#ifndef FV_AUTOGRAD_GRAPH_IMPL_H
#define FV_AUTOGRAD_GRAPH_IMPL_H

#include "autograd/op.h"
#include "base/list.h"
#include "base/memory.h"

typedef struct fv_node {
    const fv_op *op;
    void *attr; /* owned by the graph's arena; fusion edits it */
    fv_tensor *in[FV_MAX_INPUTS];
    fv_tensor *out;
    const char *scope; /* for messages and summaries */
    int id;            /* its place in the captured list; survives fusion */
} fv_node;

struct fv_tensor {
    fv_shape shape;
    int id;
    bool needs_grad;
    fv_param *param; /* not NULL: memory is the parameter's own */
    bool is_input;
    fv_tensor *base; /* not NULL: a view of channels [channel, channel + c) of base */
    int channel;
    bool is_viewed; /* some other tensor is a view of this one */
};

struct fv_graph {
    fv_arena arena;
    fv_params *params;
    fv_mode mode;
    bool skip_dropout;
    const char *scope; /* "" or "stage3.0.expand" */
    const char *scope_stack[16];
    int depth;
    fv_list nodes;   /* of fv_node, in order of execution */
    fv_list tensors; /* of fv_tensor; tensors.items[i]->id == i */
    fv_error error;  /* sticky */
};

static inline fv_node *fv_graph_node(const fv_graph *g, int i) { return g->nodes.items[i]; }
static inline fv_tensor *fv_graph_tensor(const fv_graph *g, int i) { return g->tensors.items[i]; }

/* The tensor in whose memory t lives; *channel (unless NULL) is t's first channel there. */
fv_tensor *fv_tensor_root(fv_tensor *t, int *channel);

/* What the author of an operator sees of a node's inputs. */
void fv_node_inputs(const fv_node *n, fv_op_input in[FV_MAX_INPUTS]);

/* What fv_graph_node_info() says of a node. */
fv_node_info fv_node_describe(const fv_node *n);

/* Merges operators, see fuse.c: edits the nodes of the list, which shrinks. `kept` are values that
 * must exist because somebody reads them. */
fv_status fv_graph_fuse(const fv_graph *g, fv_list *nodes, fv_tensor *const *kept, int kept_count,
                        fv_error *err);

/* What a node has become: "conv2d+bn+relu6". */
void fv_node_label(const fv_node *n, char *label, size_t size);

#endif /* FV_AUTOGRAD_GRAPH_IMPL_H */
