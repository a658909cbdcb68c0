/* SPDX-License-Identifier: Apache-2.0 */
#include "data/stages.h"

#include "data/transform_impl.h"

#include <math.h>

typedef struct progressive {
    fv_floats sizes, epochs;
} progressive;

static const fv_field fields[] = {
    FV_FIELD_FLOATS(progressive, sizes, 1, FV_OP_MAX_SIDE),
    FV_FIELD_FLOATS(progressive, epochs, 1, 1e9),
    FV_FIELD_END,
};

static fv_status check_whole(const fv_floats *numbers, fv_config_node *map, const char *key,
                             fv_error *err)
{
    for (int i = 0; i < numbers->count; i++)
        if (numbers->values[i] != floor(numbers->values[i]))
            return fv_config_fail(fv_config_child(map, key), err, "%g is not a whole number",
                                  numbers->values[i]);
    return FV_OK;
}

static fv_status read_map(progressive *out, fv_config_node *map, fv_error *err)
{
    FV_TRY(fv_config_read(map, fields, out, err));
    FV_TRY(check_whole(&out->sizes, map, "sizes", err));
    FV_TRY(check_whole(&out->epochs, map, "epochs", err));
    if (out->sizes.count != out->epochs.count + 1 || out->sizes.count > FV_MAX_STAGES)
        return fv_config_fail(map, err,
                              "%d sizes for %d epochs: give one size more than epochs, at most %d",
                              out->sizes.count, out->epochs.count, (int)FV_MAX_STAGES);
    for (int i = 1; i < out->epochs.count; i++)
        if (out->epochs.values[i] <= out->epochs.values[i - 1])
            return fv_config_fail(fv_config_child(map, "epochs"), err,
                                  "%g after %g: each must be above the one before",
                                  out->epochs.values[i], out->epochs.values[i - 1]);
    return FV_OK;
}

fv_status fv_stages_create(fv_stages *out, fv_pipeline **last, fv_config_node *map,
                           fv_config_node *ops, const char *where, fv_error *err)
{
    progressive p;
    *out = (fv_stages){ 0 };
    if (!map) return fv_pipeline_create(last, ops, where, err);
    FV_TRY(read_map(&p, map, err));
    for (int i = 0; i < p.sizes.count; i++) {
        const bool is_last = i == p.epochs.count;
        fv_pipeline *pipeline = NULL;
        const fv_status status =
            fv_pipeline_create_sized(&pipeline, ops, where, (int)p.sizes.values[i], err);
        if (status != FV_OK) {
            fv_stages_deinit(out);
            return status;
        }
        if (is_last)
            *last = pipeline;
        else
            out->stages[out->count++] = (fv_stage){ pipeline, (uint32_t)p.epochs.values[i] };
    }
    return FV_OK;
}

void fv_stages_deinit(fv_stages *stages)
{
    for (int i = 0; i < stages->count; i++) fv_pipeline_destroy(stages->stages[i].pipeline);
    *stages = (fv_stages){ 0 };
}

const fv_pipeline *fv_stages_at(const fv_stages *stages, const fv_pipeline *last, uint32_t epoch)
{
    for (int i = 0; i < stages->count; i++)
        if (epoch < stages->stages[i].end) return stages->stages[i].pipeline;
    return last;
}
