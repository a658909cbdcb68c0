/* SPDX-License-Identifier: Apache-2.0 */
/* Every picture gets a random number from the seed and its name; of each class those with the
 * smallest are FV_PART_VAL. */
#include "base/compiler.h"
#include "base/memory.h"
#include "base/random.h"
#include "data/dataset_impl.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

typedef struct draw {
    uint64_t number;
    int64_t sample;
    int label;
    bool val;
} draw;

/* By class; in it by number, then as in the dataset. */
static int by_number(const void *a, const void *b)
{
    const draw *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return x->sample < y->sample ? -1 : x->sample > y->sample;
}

static int by_sample(const void *a, const void *b)
{
    const draw *x = a, *y = b;
    return x->sample < y->sample ? -1 : x->sample > y->sample;
}

/* `count` pictures of one class, sorted. One that is listed twice must not be in both parts. */
static void choose(draw *draws, int64_t count, double fraction)
{
    if (count < 2) return;
    int64_t chosen = (int64_t)floor(fraction * (double)count + 0.5);
    chosen = chosen < 1 ? 1 : chosen > count - 1 ? count - 1 : chosen;
    while (chosen < count && draws[chosen].number == draws[chosen - 1].number) chosen++;
    for (int64_t i = 0; i < chosen; i++) draws[i].val = true;
}

static void keep(fv_dataset *d, const draw *draws, bool val)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < d->count; i++) {
        if (draws[i].val != val) continue;
        if (d->places) d->places[kept] = d->places[i];
        if (d->checks) d->checks[kept] = d->checks[i];
        d->samples[kept++] = d->samples[i];
    }
    d->count = kept;
}

fv_status fv_dataset_split(fv_dataset *d, const fv_split *split, fv_error *err)
{
    const int64_t count = d->count;
    draw *draws = fv_alloc((size_t)count * sizeof(*draws));
    if (!draws) return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
    for (int64_t i = 0; i < count; i++) {
        const uint64_t hash = fv_random_hash(fv_dataset_name(d, i));
        fv_random random = fv_random_stream(split->seed, FV_RANDOM_SPLIT, 0, hash);
        const uint64_t high = fv_random_u32(&random), low = fv_random_u32(&random);
        draws[i] =
            (draw){ .number = high << 32 | low, .sample = i, .label = fv_dataset_label(d, i) };
    }
    qsort(draws, (size_t)count, sizeof(*draws), by_number);
    for (int64_t first = 0, next; first < count; first = next) {
        for (next = first; next < count && draws[next].label == draws[first].label;) next++;
        choose(draws + first, next - first, split->val_fraction);
    }
    qsort(draws, (size_t)count, sizeof(*draws), by_sample);
    keep(d, draws, split->part == FV_PART_VAL);
    fv_free(draws);
    if (d->count) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT,
                   "dataset: of %lld pictures, with val_fraction %g, none is in the %s part: no "
                   "class has two",
                   (long long)count, split->val_fraction,
                   split->part == FV_PART_VAL ? "validation" : "training");
}
