/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

fv_error testing_err;

void testing_fill(const char *name, float *x, size_t n)
{
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash(name));
    for (size_t i = 0; i < n; i++) x[i] = fv_random_uniform(&r, -1.0f, 1.0f);
}

const char *testing_shared(const char *name)
{
    static char path[4096];
    const char *root = getenv("FOVEA_SHARED");
    snprintf(path, sizeof(path), "%s/%s", root ? root : "../../shared", name);
    if (access(path, R_OK) == 0) return path;
    printf("# skipped: %s is not there\n", path);
    return NULL;
}

static char folder[64];

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0) fprintf(stderr, "could not remove %s\n", folder);
}

const char *testing_folder(void)
{
    if (folder[0]) return folder;
    snprintf(folder, sizeof(folder), "/tmp/fovea-test-XXXXXX");
    if (!mkdtemp(folder)) return NULL;
    atexit(remove_folder);
    return folder;
}
