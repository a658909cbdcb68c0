/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "cli/bench.h"

#include <stdlib.h>

typedef struct row {
    fv_node_info info;
    double forward, backward; /* seconds, of all replays */
} row;

static int slowest_first(const void *x, const void *y)
{
    const row *a = x, *b = y;
    const double left = a->forward + a->backward, right = b->forward + b->backward;
    return (left < right) - (left > right);
}

/* Forward touches the input, the output and the parameters once; an estimate, for what is fused
 * reads more and what stays in cache less. */
static double forward_bytes(const fv_node_info *n)
{
    return 4.0 * (double)(fv_shape_floats(n->in) + fv_shape_floats(n->out) + n->params);
}

static double per_second(double amount, double seconds)
{
    return seconds > 0.0 ? amount / seconds * 1e-9 : 0.0;
}

static void print_row(FILE *out, const row *r, int replays, double total)
{
    const fv_node_info *n = &r->info;
    const double flops = 2.0 * (double)n->macs * replays, bytes = forward_bytes(n) * replays;
    char shape[64];
    snprintf(shape, sizeof(shape), "%dx%dx%d", n->out.h, n->out.w, n->out.c);
    fprintf(out, "%-28.28s %-18.18s %-13s %8.3f %8.3f %8.1f %8.1f %7.1f %6.1f\n", n->scope, n->op,
            shape, 1e3 * r->forward / replays, 1e3 * r->backward / replays,
            per_second(flops, r->forward), per_second(2.0 * flops, r->backward),
            per_second(bytes, r->forward),
            total > 0.0 ? 100.0 * (r->forward + r->backward) / total : 0.0);
}

fv_status fv_profile_print(FILE *out, const fv_plan *plan, int replays, fv_error *err)
{
    const int count = fv_plan_node_count(plan);
    row *rows = fv_alloc((size_t)count * sizeof(*rows));
    if (!rows) return fv_fail(err, FV_ERR_NOMEM, "profile: out of memory");

    row sum = { .info = { .scope = "total", .op = "" } };
    for (int i = 0; i < count; i++) {
        rows[i].info = fv_plan_node_info(plan, i);
        fv_plan_node_seconds(plan, i, &rows[i].forward, &rows[i].backward);
        sum.forward += rows[i].forward;
        sum.backward += rows[i].backward;
        sum.info.macs += rows[i].info.macs;
    }
    qsort(rows, (size_t)count, sizeof(*rows), slowest_first);

    const double total = sum.forward + sum.backward;
    fprintf(out, "%-28s %-18s %-13s %8s %8s %8s %8s %7s %6s\n", "layer", "operator", "output",
            "fwd ms", "bwd ms", "fwd GF/s", "bwd GF/s", "GB/s", "share%");
    for (int i = 0; i < count; i++) print_row(out, &rows[i], replays, total);
    fprintf(out, "%-61s %8.3f %8.3f %8.1f %8.1f\n", "total", 1e3 * sum.forward / replays,
            1e3 * sum.backward / replays,
            per_second(2.0 * (double)sum.info.macs * replays, sum.forward),
            per_second(4.0 * (double)sum.info.macs * replays, sum.backward));
    fv_free(rows);
    return FV_OK;
}
