/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/pack.h"

#include "base/memory.h"
#include "base/threads.h"

#include <math.h>
#include <string.h>

/* The size of the picture does not matter to weights. */
static bool same_conv(const fv_conv *a, const fv_conv *b)
{
    const fv_window *v = &a->window, *w = &b->window;
    return a->in_c == b->in_c && a->out_c == b->out_c && a->groups == b->groups &&
           v->kernel_h == w->kernel_h && v->kernel_w == w->kernel_w && v->stride_h == w->stride_h &&
           v->stride_w == w->stride_w && v->pad_h == w->pad_h && v->pad_w == w->pad_w &&
           v->dilation_h == w->dilation_h && v->dilation_w == w->dilation_w;
}

static bool same_request(const fv_pack_request *a, const fv_pack_request *b)
{
    return a->kind == b->kind && same_conv(&a->conv, &b->conv) && a->weight == b->weight &&
           a->bias == b->bias && a->scale == b->scale && a->mean == b->mean;
}

static size_t weight_floats(const fv_kernels *k, const fv_pack_request *r)
{
    switch (r->kind) {
    case FV_PACK_FORWARD: return k->conv_packed_forward_floats(&r->conv);
    case FV_PACK_BACKWARD: return k->conv_packed_backward_floats(&r->conv);
    case FV_PACK_WINOGRAD:
    case FV_PACK_MIRRORED: return k->winograd_packed_floats(&r->conv);
    case FV_PACK_DEPTHWISE: break;
    }
    return r->weight->count;
}

static void destroy(fv_pack *p)
{
    if (!p) return;
    fv_free(p->weights);
    fv_free(p->bias);
    fv_free(p->factor);
    fv_free(p);
}

fv_status fv_pack_find(fv_list *packs, const fv_kernels *kernels, const fv_pack_request *request,
                       fv_pack **out, fv_error *err)
{
    for (int i = 0; i < packs->count; i++) {
        *out = packs->items[i];
        if (same_request(&(*out)->request, request)) return FV_OK;
    }
    const size_t channels = (size_t)request->conv.out_c * sizeof(float);
    fv_pack *p = fv_alloc(sizeof(*p));
    if (!p) goto nomem;
    p->request = *request;
    p->weights = fv_alloc(weight_floats(kernels, request) * sizeof(float));
    if (!p->weights) goto nomem;
    if (request->bias || request->scale) {
        p->bias = fv_alloc(channels);
        if (!p->bias) goto nomem;
    }
    if (request->scale) {
        p->factor = fv_alloc(channels);
        if (!p->factor) goto nomem;
    }
    if (!fv_list_append(packs, p)) goto nomem;
    *out = p;
    return FV_OK;

nomem:
    destroy(p);
    return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for packed weights",
                   request->weight->name);
}

void fv_packs_destroy(fv_list *packs)
{
    for (int i = 0; i < packs->count; i++) destroy(packs->items[i]);
    fv_list_deinit(packs);
}

static void pack_depthwise(const fv_pack *p)
{
    const fv_param *w = p->request.weight;
    const int channels = w->dims[0], taps = w->dims[2] * w->dims[3];
    for (int c = 0; c < channels; c++)
        for (int t = 0; t < taps; t++)
            p->weights[t * channels + c] =
                w->value[c * taps + t] * (p->factor ? p->factor[c] : 1.0f);
}

typedef struct refresh {
    const fv_pack *pack;
    const fv_kernels *kernels;
    int channels, per_task;
} refresh;

static void pack_channels(void *ctx, int task, int worker)
{
    (void)worker;
    const refresh *r = ctx;
    const fv_kernels *k = r->kernels;
    const fv_pack *p = r->pack;
    const fv_conv *c = &p->request.conv;
    const float *w = p->request.weight->value;
    const int c0 = task * r->per_task, c1 = fv_min(c0 + r->per_task, r->channels);
    switch (p->request.kind) {
    case FV_PACK_FORWARD: k->conv_pack_forward(c, w, p->factor, p->weights, c0, c1); break;
    case FV_PACK_BACKWARD: k->conv_pack_backward(c, w, p->weights, c0, c1); break;
    case FV_PACK_WINOGRAD: k->winograd_pack(c, w, p->factor, false, p->weights, c0, c1); break;
    case FV_PACK_MIRRORED: k->winograd_pack(c, w, NULL, true, p->weights, c0, c1); break;
    case FV_PACK_DEPTHWISE: break;
    }
}

static void fold(fv_pack *p)
{
    const fv_pack_request *q = &p->request;
    for (int c = 0; c < q->conv.out_c; c++) {
        const float bias = q->bias ? q->bias->value[c] : 0.0f;
        if (!q->scale) {
            p->bias[c] = bias;
            continue;
        }
        p->factor[c] = (float)((double)q->scale->value[c] /
                               sqrt((double)q->variance->value[c] + (double)q->epsilon));
        p->bias[c] = q->shift->value[c] + (bias - q->mean->value[c]) * p->factor[c];
    }
}

void fv_pack_refresh(fv_pack *pack, const fv_kernels *kernels, uint64_t version)
{
    if (pack->version == version) return;
    pack->version = version;
    const fv_pack_request *q = &pack->request;
    if (pack->bias) fold(pack);
    if (q->kind == FV_PACK_DEPTHWISE) {
        pack_depthwise(pack);
        return;
    }
    const bool forward = q->kind == FV_PACK_FORWARD || q->kind == FV_PACK_WINOGRAD;
    const int channels = forward ? q->conv.out_c : q->conv.in_c;
    const int per_task = q->conv.groups > 1 ? channels : FV_CONV_BLOCK;
    refresh r = { pack, kernels, channels, per_task };
    fv_parallel_for((channels + per_task - 1) / per_task, pack_channels, &r);
}
