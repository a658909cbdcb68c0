/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/params.h - the weights of a model, apart from any graph.
 *
 * Graphs come and go (one per batch shape, one per mode); the parameters stay. They have
 * the names, shapes and element order of PaddleClas's state dict, in order of creation:
 * a convolution's weight is [out, in/groups, kh, kw], a linear one [in, out].
 */
#ifndef FV_AUTOGRAD_PARAMS_H
#define FV_AUTOGRAD_PARAMS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a parameter is. */
#define FV_ROLE_LIST(X) \
    /* role            name            trained */ \
    X(FV_CONV_WEIGHT, "conv_weight", true) \
    X(FV_LINEAR_WEIGHT, "linear_weight", true) \
    X(FV_BIAS, "bias", true) \
    X(FV_BN_WEIGHT, "bn_weight", true) \
    X(FV_BN_BIAS, "bn_bias", true) \
    X(FV_BN_MEAN, "bn_mean", false) \
    X(FV_BN_VAR, "bn_var", false)

typedef enum fv_role {
#define X(role, name, trained) role,
    FV_ROLE_LIST(X)
#undef X
} fv_role;

/* "conv_weight", "bn_bias", ...: as golden files call it. */
const char *fv_role_name(fv_role role);

/* How a parameter starts. Drawn from the stream (seed, FV_RANDOM_INIT, name), so adding a
 * parameter does not change how the others start. */
typedef struct fv_init {
    enum { FV_INIT_CONSTANT, FV_INIT_NORMAL, FV_INIT_UNIFORM } kind;
    float a; /* the constant; the standard deviation; the bound of [-a, a) */
} fv_init;

typedef struct fv_param {
    const char *name; /* "conv1._conv.weight" */
    fv_role role;
    int rank, dims[4]; /* dims[rank..3] are 1 */
    size_t count;      /* floats */
    bool trained;      /* false: running statistics; they have no gradient */
    bool frozen;       /* not changed by training: no gradient, or statistics kept as they are */
    fv_init init;
    float *value;
    float *grad; /* NULL unless trained */
} fv_param;

typedef struct fv_params fv_params;

/* Initial values are drawn by `seed` and the parameter's name. */
fv_status fv_params_create(fv_params **out, uint64_t seed, fv_error *err);
void fv_params_destroy(fv_params *params); /* accepts NULL */

/* Finds a parameter, or creates and initialises it. The result is borrowed. `dims` has `rank`
 * entries; finding one with other dims is an error. */
fv_status fv_params_get(fv_params *params, const char *name, fv_role role, int rank,
                        const int *dims, fv_init init, fv_param **out, fv_error *err);

/* In the order of creation; i in [0, count). */
int fv_params_count(const fv_params *params);
fv_param *fv_params_at(const fv_params *params, int i);
fv_param *fv_params_find(const fv_params *params, const char *name); /* NULL: none */
size_t fv_params_trained_floats(const fv_params *params);            /* frozen ones included */

/* Draws a parameter's initial values again, e.g. a head whose class number changed. */
void fv_params_reset(fv_params *params, fv_param *param);

/* Freezes (or thaws) every parameter whose name matches a glob pattern ("conv[1-4].*",
 * fnmatch(3)); returns how many match. Running statistics count only if `statistics`. To be
 * called before graphs are captured: they decide then what is differentiated. */
int fv_params_freeze(fv_params *params, const char *pattern, bool statistics, bool frozen);

/* Must be called after values changed, by whoever changed them: plans keep packed copies and
 * refresh them when this number has moved. */
void fv_params_touch(fv_params *params);
uint64_t fv_params_version(const fv_params *params);

#endif /* FV_AUTOGRAD_PARAMS_H */
