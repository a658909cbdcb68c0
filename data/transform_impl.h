/* SPDX-License-Identifier: Apache-2.0 */
/* data/transform_impl.h - one operation of a pipeline, and the picture it works on.
 *
 * Operations are lazy: cropping and mirroring only change the view, and a resize is carried out
 * when something needs its pixels, for the part that is then in view. So what is cropped away is
 * never made.
 */
#ifndef FV_DATA_TRANSFORM_IMPL_H
#define FV_DATA_TRANSFORM_IMPL_H

#include "data/resize_impl.h"
#include "data/transform.h"

enum { FV_TRANSFORM_MAX_OPS = 32 };

/* A picture in the making: the part `view` of the current picture, or of what it becomes when
 * resized as `pending` says, then mirrored. */
struct fv_pipeline_scratch {
    fv_picture pictures[2]; /* the current one and the next */
    int current;
    fv_resizer resizer;
    bool is_pending;
    fv_resize_job pending; /* rect, width, height, profile, filter */
    fv_rect view;          /* within the picture, or within pending's width x height */
    bool mirror_x, mirror_y;
};

/* Cuts out a part, in pixels of the picture as seen now. */
void fv_scratch_crop(fv_pipeline_scratch *s, int x, int y, int width, int height);
/* Resizes what is seen now. */
fv_status fv_scratch_resize(fv_pipeline_scratch *s, int width, int height, fv_profile profile,
                            fv_filter filter, fv_error *err);
/* Carries out what is pending. */
fv_status fv_scratch_settle(fv_pipeline_scratch *s, fv_error *err);

typedef struct fv_op fv_op;

/* What is known while a pipeline is made. Width and height: 0 while they depend on the picture. */
typedef struct fv_op_state {
    int width, height;
    bool normalized;
} fv_op_state;

typedef struct fv_op_type {
    const char *name;
    bool random;
    /* Reads the options and follows the sizes. `map` may be NULL (no options). */
    fv_status (*parse)(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err);
    /* NULL: done by the pipeline itself (decoding, normalising) or nothing to do. */
    fv_status (*run)(const fv_op *op, fv_pipeline_scratch *s, fv_random *random, fv_error *err);
    void (*describe)(const fv_op *op, char *out, size_t size); /* NULL: not part of the line */
} fv_op_type;

/* The options of all operations; each uses what its parse() fills. */
struct fv_op {
    const fv_op_type *type;
    fv_profile profile;
    int filter; /* fv_filter, or FV_FILTER_RANDOM */
    int width, height, resize_short;
    bool torchvision; /* rounding */
    double scale[2], ratio[2];
    bool log_aspect;
    int flip_code;
    bool swap_channels; /* BGR comes out */
    float factor, mean[3], std[3];
};

enum { FV_FILTER_RANDOM = FV_AREA + 1 }; /* bilinear or bicubic, drawn per picture */

extern const fv_op_type *const fv_op_types[]; /* all; NULL ends */

/* Types that the pipeline itself knows, and those of transform_random.c. */
extern const fv_op_type fv_op_decode, fv_op_resize, fv_op_crop, fv_op_normalize;
extern const fv_op_type fv_op_rand_crop, fv_op_resized_crop, fv_op_flip;

/* ---- For several operations ---- */

enum { FV_OP_MAX_SIDE = 16384 /* pixels of anything that a config asks for */ };

extern const char *const fv_op_profile_names[]; /* as in configs; index: fv_profile */
extern const char *const fv_op_filter_names[];  /* index: fv_filter or FV_FILTER_RANDOM */

/* The row of `size` in a table of fields; it must be given. */
#define FV_OP_FIELD_SIZE(s) \
    { \
        .key = "size", .type = FV_FLOATS, .offset = offsetof(s, size), .min = 1, \
        .max = FV_OP_MAX_SIDE, .otherwise_text = FV_REQUIRED \
    }

/* What a message about a key points to: its value, or the map where it is absent. */
fv_config_node *fv_op_node(fv_config_node *map, const char *key);

/* One whole number, or [width, height]. */
fv_status fv_op_read_size(fv_op *op, const fv_floats *size, fv_config_node *map, fv_error *err);
/* Fails if the backend (an index into fv_op_profile_names) does not have the interpolation. */
fv_status fv_op_read_filter(fv_op *op, int backend, int interpolation, fv_config_node *map,
                            fv_error *err);
fv_filter fv_op_draw_filter(const fv_op *op, fv_random *random);
const char *fv_op_size_text(const fv_op *op, char *out, size_t size); /* "224" or "320x224" */

#endif /* FV_DATA_TRANSFORM_IMPL_H */
