/* SPDX-License-Identifier: Apache-2.0 */
/* replay FILE...: runs a target on files and on damaged copies of them, without libFuzzer: what
 * every compiler builds and every test run sees. */
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "tests/fuzz/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 1 << 24, COPIES = 200 };

static fv_random draws;

/* A few bytes changed; one time in four the end is cut off. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    (void)max_size;
    if (size == 0) return 0;
    for (int i = fv_random_int(&draws, 1, 4); i > 0; i--)
        data[fv_random_u32(&draws) % size] = (uint8_t)fv_random_u32(&draws);
    return fv_random_int(&draws, 0, 3) ? size : fv_random_u32(&draws) % size;
}

static fv_status replay(const char *path, fv_error *err)
{
    char *bytes = NULL;
    size_t size = 0;
    FV_TRY(fv_file_read(path, MAX_FILE, &bytes, &size, err));
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, size);
    draws = fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash(path));
    for (unsigned i = 0; i < COPIES; i++) {
        uint8_t *copy = malloc(size + 1);
        if (!copy) break;
        memcpy(copy, bytes, size);
        const size_t now = LLVMFuzzerCustomMutator(copy, size, size, i);
        uint8_t *exact = realloc(copy, now + 1); /* so that reading beyond is seen */
        LLVMFuzzerTestOneInput(exact ? exact : copy, now);
        free(exact ? exact : copy);
    }
    fv_free(bytes);
    return FV_OK;
}

int main(int argc, char **argv)
{
    fv_error err;
    for (int i = 1; i < argc; i++) {
        if (replay(argv[i], &err) != FV_OK) {
            fprintf(stderr, "%s\n", err.message);
            return EXIT_FAILURE;
        }
    }
    printf("%d files and %d damaged copies of each\n", argc - 1, (int)COPIES);
    return argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
