/* SPDX-License-Identifier: Apache-2.0 */
/* data/transform_impl.h - one operation of a pipeline, and the picture it works on.
 *
 * Operations are lazy: cropping and mirroring only change the view; a file is decoded, and a resize
 * carried out, when something needs pixels, for the part that is then in view. So what is cropped
 * away is never made.
 */
#ifndef FV_DATA_TRANSFORM_IMPL_H
#define FV_DATA_TRANSFORM_IMPL_H

#include "data/augment_impl.h"
#include "data/resize_impl.h"
#include "data/transform.h"

enum { FV_TRANSFORM_MAX_OPS = 32 };

/* A picture in the making: the part `view` of the current picture, or of what it becomes when
 * resized as `pending` says, then mirrored. */
struct fv_pipeline_scratch {
    fv_picture pictures[2]; /* the current one and the next */
    int current;
    const uint8_t *bytes; /* of the file, which is to become the current picture; NULL: it has */
    size_t size;
    fv_decode_options decoding;
    bool may_shrink; /* while it is decoded */
    fv_resizer resizer;
    bool is_pending;
    fv_resize_job pending; /* rect, width, height, profile, filter */
    fv_rect view;          /* within the picture, or within pending's width x height */
    bool mirror_x, mirror_y;
    double shift[3]; /* to be added to R, G and B of the floats, in units of a byte's range */
};

/* Begins with a file, whose bytes must stay until the picture is closed. */
fv_status fv_scratch_open(fv_pipeline_scratch *s, const uint8_t *bytes, size_t size,
                          const fv_decode_options *options, bool dct_scaling, fv_error *err);
void fv_scratch_close(fv_pipeline_scratch *s); /* gives back memory that was used for a giant */

/* Cuts out a part, in pixels of the picture as seen now. */
void fv_scratch_crop(fv_pipeline_scratch *s, int x, int y, int width, int height);
/* Resizes what is seen now. */
fv_status fv_scratch_resize(fv_pipeline_scratch *s, int width, int height, fv_profile profile,
                            fv_filter filter, fv_error *err);
/* Carries out what is pending. */
fv_status fv_scratch_settle(fv_pipeline_scratch *s, fv_error *err);
/* Carries out all of it, so that *pixels is what is seen now, to be changed in place; *next takes
 * what replaces it, by fv_scratch_replace(). */
fv_status fv_scratch_pixels(fv_pipeline_scratch *s, fv_picture **pixels, fv_picture **next,
                            fv_error *err);
void fv_scratch_replace(fv_pipeline_scratch *s);

typedef struct fv_op fv_op;

/* What is known while a pipeline is made. Width and height: 0 while they depend on the picture. */
typedef struct fv_op_state {
    int width, height;
    bool normalized;
    int side;   /* of what random crops are to make instead of what they say; 0: as they say */
    bool sized; /* one did */
} fv_op_state;

typedef struct fv_op_type {
    const char *name;
    bool random;
    /* Reads the options and follows the sizes. `map` may be NULL (no options). */
    fv_status (*parse)(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err);
    /* NULL: done by the pipeline itself (decoding, normalising) or nothing to do. */
    fv_status (*run)(const fv_op *op, fv_pipeline_scratch *s, fv_random *random, fv_error *err);
    void (*describe)(const fv_op *op, char *out, size_t size); /* NULL: not part of the line */
    /* Instead of run(), for what comes after NormalizeImage: changes the floats that come out. */
    void (*erase)(const fv_op *op, float *out, int height, int width, fv_random *random);
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
    bool dct_scaling;
    float factor, mean[3], std[3];
    fv_augment_options augment;
};

enum { FV_FILTER_RANDOM = FV_AREA + 1 }; /* bilinear or bicubic, drawn per picture */

extern const fv_op_type *const fv_op_types[]; /* all; NULL ends */

/* Types that the pipeline itself knows, and those of transform_random.c. */
extern const fv_op_type fv_op_decode, fv_op_resize, fv_op_crop, fv_op_normalize;
extern const fv_op_type fv_op_rand_crop, fv_op_resized_crop, fv_op_flip;
/* Those of augment_*.c. */
extern const fv_op_type fv_op_color_jitter, fv_op_grayscale, fv_op_lighting, fv_op_rotation;
extern const fv_op_type fv_op_auto_augment, fv_op_rand_augment, fv_op_timm;
extern const fv_op_type fv_op_erasing, fv_op_cutout, fv_op_grid_mask, fv_op_hide_and_seek;

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
/* Bytes R, G, B from one whole number or three in [0, 255]; `otherwise` where not given. */
fv_status fv_op_read_bytes(uint8_t out[3], const fv_floats *given, const uint8_t otherwise[3],
                           const char *key, fv_config_node *map, fv_error *err);
/* One number or three. */
fv_status fv_op_read_channels(float out[3], const fv_floats *given, const double otherwise[3],
                              const char *key, fv_config_node *map, fv_error *err);
/* True with this probability. */
bool fv_op_draw_chance(double probability, fv_random *random);
/* In [range[0], range[1]). */
double fv_op_draw(const double range[2], fv_random *random);
double fv_op_draw_log(const double range[2], fv_random *random);      /* its logarithm is uniform */
const char *fv_op_size_text(const fv_op *op, char *out, size_t size); /* "224" or "320x224" */

#endif /* FV_DATA_TRANSFORM_IMPL_H */
