/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/pack.h - weights in the layout that kernels read, packed once per update.
 *
 * A pack is a function of parameters alone, so the plans of one slab share it: training at
 * two batch sizes packs once. It is made anew when the parameters' version has moved. For
 * autograd/ only.
 */
#ifndef FV_AUTOGRAD_PACK_H
#define FV_AUTOGRAD_PACK_H

#include "autograd/params.h"
#include "base/list.h"
#include "kernels/kernels.h"

typedef enum fv_pack_kind {
    FV_PACK_FORWARD,  /* as conv_forward reads it */
    FV_PACK_BACKWARD, /* as conv_backward_data reads it */
    FV_PACK_WINOGRAD, /* as winograd_sweep reads it, */
    FV_PACK_MIRRORED, /* and for the mirrored convolution */
    FV_PACK_DEPTHWISE /* [kh][kw][channels], for both directions */
} fv_pack_kind;

/* What to pack. With batch norm, y = scale * (conv + bias - mean) / sqrt(var + epsilon) + shift is
 * folded into weights and bias. */
typedef struct fv_pack_request {
    fv_pack_kind kind;
    fv_conv conv;
    const fv_param *weight, *bias;                   /* bias may be NULL */
    const fv_param *scale, *shift, *mean, *variance; /* all or none */
    float epsilon;
} fv_pack_request;

enum { FV_MAX_PACKS = 2 };

typedef struct fv_pack {
    fv_pack_request request;
    float *weights; /* owned */
    float *bias;    /* [out_c], owned; NULL if there is neither bias nor batch norm */
    float *factor;  /* [out_c], owned: scale / sqrt(variance + epsilon); NULL without batch norm */
    uint64_t version;
} fv_pack;

/* The packs of a slab; fv_list of fv_pack. Finds or adds the one asked for. */
fv_status fv_pack_find(fv_list *packs, const fv_kernels *kernels, const fv_pack_request *request,
                       fv_pack **out, fv_error *err);
void fv_packs_destroy(fv_list *packs);

/* Packs anew unless it is up to date. Spread over threads; allocates nothing. */
void fv_pack_refresh(fv_pack *pack, const fv_kernels *kernels, uint64_t version);

#endif /* FV_AUTOGRAD_PACK_H */
