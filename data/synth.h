/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth.h - a data set of drawn pictures, for a first run and for tests.
 *
 * Each picture shows one object on a cluttered background: a shape (disc, ring, star, ...) or a
 * patch of a texture (stripes, dots, spiral, ...), with random size, place, rotation, stretch,
 * colours, light and noise, stored as a JPEG file. A picture is a function of (seed, split, index)
 * alone. What lies in the folder afterwards:
 *
 *     train/000003_triangle.jpg ...   val/000003_triangle.jpg ...
 *     train_list.txt, val_list.txt    "train/000003_triangle.jpg 3"
 *     label_list.txt                  "3 triangle"
 *     synth.txt                       the options, one line
 *
 * The lists are written last: where they are, the pictures are complete. Rendering again into the
 * same folder draws only what is missing.
 */
#ifndef FV_DATA_SYNTH_H
#define FV_DATA_SYNTH_H

#include "base/status.h"

#include <stdint.h>

enum { FV_SYNTH_MAX_CLASSES = 24, FV_SYNTH_MAX_PICTURES = 1000000 };

typedef struct fv_synth_options {
    int classes;    /* 2 to FV_SYNTH_MAX_CLASSES; picture i shows class i % classes */
    int train, val; /* pictures, 1 to FV_SYNTH_MAX_PICTURES each */
    uint64_t seed;
} fv_synth_options;

/* Called now and then by the calling thread; `done` reaches `total` if all goes well. */
typedef void fv_synth_progress_fn(void *ctx, int done, int total);

/* Renders what is missing into `folder`, in parallel, and tells in `*drawn` how many pictures that
 * were (`progress` and `drawn` may be NULL). A folder that holds lists of other origin, or a set
 * made with other options, is left alone: an error. */
fv_status fv_synth_render(const char *folder, const fv_synth_options *options,
                          fv_synth_progress_fn *progress, void *ctx, int *drawn, fv_error *err);

/* "triangle"; NULL outside [0, FV_SYNTH_MAX_CLASSES). */
const char *fv_synth_class_name(int label);

#endif /* FV_DATA_SYNTH_H */
