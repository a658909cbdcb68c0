/* SPDX-License-Identifier: Apache-2.0 */
/* tests/pipeline_testing.h - a pipeline from lines of YAML, and what it makes of a picture. */
#ifndef FV_TESTS_PIPELINE_TESTING_H
#define FV_TESTS_PIPELINE_TESTING_H

#include "testing.h"

#include "picture_testing.h"
#include "testing_config.h"

#include "data/transform.h"

#include <stdlib.h>

enum { MAX_FLOATS = 300 * 300 * 3 };

typedef struct run {
    fv_config *config;
    fv_pipeline *pipeline;
    fv_pipeline_scratch *scratch;
    int width, height;
    float out[MAX_FLOATS];
} run;

static inline fv_status try_open(run *r, const char *ops)
{
    static char text[2048];
    snprintf(text, sizeof(text), "ops:\n%s", ops);
    memset(r, 0, sizeof(*r));
    r->config = config_parse(text);
    fv_config_node *list = fv_config_child(fv_config_root(r->config), "ops");
    return fv_pipeline_create(&r->pipeline, list, "Train", &testing_err);
}

static inline void open_run(run *r, const char *ops)
{
    assert_ok(try_open(r, ops));
    assert_ok(fv_pipeline_scratch_create(&r->scratch, &testing_err));
    fv_pipeline_size(r->pipeline, &r->height, &r->width);
    assert_true(r->height * r->width * 3 <= MAX_FLOATS);
}

static inline void close_run(run *r)
{
    fv_pipeline_scratch_destroy(r->scratch);
    fv_pipeline_destroy(r->pipeline);
    fv_config_destroy(r->config);
}

#endif /* FV_TESTS_PIPELINE_TESTING_H */
