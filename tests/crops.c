/* SPDX-License-Identifier: Apache-2.0 */
/* crops CONFIG PICTURE... > FILE: what the operations listed under "ops" in a configuration make
 * of pictures. For each of them a line, "WIDTH HEIGHT" followed by the pixels, or "error: MESSAGE".
 * For compare_pictures.py. */
#include "base/file.h"
#include "base/memory.h"
#include "data/transform.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_FILE = 256 << 20 };

typedef struct workshop {
    fv_config *config;
    fv_pipeline *pipeline;
    fv_pipeline_scratch *scratch;
    int width, height;
    float *floats;
    uint8_t *bytes;
} workshop;

static fv_status open_workshop(workshop *w, const char *path, fv_error *err)
{
    FV_TRY(fv_config_load(&w->config, path, err));
    fv_config_node *ops = fv_config_child(fv_config_root(w->config), "ops");
    FV_TRY(fv_pipeline_create(&w->pipeline, ops, path, err));
    FV_TRY(fv_pipeline_scratch_create(&w->scratch, err));
    fv_pipeline_size(w->pipeline, &w->height, &w->width);
    const size_t values = (size_t)w->width * (size_t)w->height * 3;
    w->floats = fv_alloc(values * sizeof(*w->floats));
    w->bytes = fv_alloc(values);
    return w->floats && w->bytes ? FV_OK : fv_fail(err, FV_ERR_NOMEM, "out of memory");
}

static void close_workshop(workshop *w)
{
    fv_free(w->bytes);
    fv_free(w->floats);
    fv_pipeline_scratch_destroy(w->scratch);
    fv_pipeline_destroy(w->pipeline);
    fv_config_destroy(w->config);
}

static fv_status run(const workshop *w, const char *path, fv_error *err)
{
    char *file = NULL;
    size_t size = 0;
    FV_TRY(fv_file_read(path, MAX_FILE, &file, &size, err));
    fv_random random = fv_random_stream(1, FV_RANDOM_TEST, 0, 0);
    const fv_status status = fv_pipeline_run(w->pipeline, w->scratch, (const uint8_t *)file, size,
                                             &random, w->floats, err);
    fv_free(file);
    return status;
}

int main(int argc, char **argv)
{
    workshop w = { 0 };
    fv_error err = { 0 };
    if (argc < 2) {
        fprintf(stderr, "usage: crops CONFIG PICTURE... > FILE\n");
        return 2;
    }
    const bool open = open_workshop(&w, argv[1], &err) == FV_OK;
    if (!open) fprintf(stderr, "crops: %s\n", err.message);
    for (int i = 2; i < argc && open; i++) {
        if (run(&w, argv[i], &err) != FV_OK) {
            printf("error: %s\n", err.message);
            continue;
        }
        fv_pipeline_restore(w.pipeline, w.floats, w.bytes);
        printf("%d %d\n", w.width, w.height);
        fwrite(w.bytes, 3, (size_t)w.width * (size_t)w.height, stdout);
    }
    close_workshop(&w);
    return open && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
