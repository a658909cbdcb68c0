/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth_impl.h - the drawing behind data/synth.h.                                  private */
#ifndef FV_DATA_SYNTH_IMPL_H
#define FV_DATA_SYNTH_IMPL_H

#include "base/random.h"
#include "data/decode.h"

/* What varies between two objects of a class. Each class takes from it what it needs. */
typedef struct fv_synth_look {
    float thickness; /* [0, 1): of rings and bars, depth of notches */
    float frequency; /* [0, 1): of textures */
    float phase;     /* [0, 1): of textures */
    float wobble[4]; /* [0, 1): outline of patches */
} fv_synth_look;

/* Which ink lies at (x, y): 0 none, 1 or 2. An object lies about inside the unit circle; y points
 * down. */
typedef int fv_synth_ink_fn(float x, float y, const fv_synth_look *look);

typedef struct fv_synth_class {
    const char *name;
    fv_synth_ink_fn *ink;
} fv_synth_class;

extern const fv_synth_class fv_synth_classes[]; /* FV_SYNTH_MAX_CLASSES rows */

/* Draws one picture of a class, of a size that the stream decides. */
fv_status fv_synth_draw(const fv_synth_class *class, fv_random *random, fv_picture *out,
                        fv_error *err);

#endif /* FV_DATA_SYNTH_IMPL_H */
