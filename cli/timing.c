/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "cli/bench.h"
#include "cli/text.h"

#include <stdlib.h>

enum { MAX_SCOPE_COLUMNS = 48 };

typedef struct fv_timing_row {
    fv_node_info info;
    double forward, backward; /* seconds: until the beginning, then since */
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

static void print_row(FILE *out, const row *r, int replays, double total, int scope_columns)
{
    const fv_node_info *n = &r->info;
    const double flops = 2.0 * (double)n->macs * replays, bytes = forward_bytes(n) * replays;
    char shape[64];
    snprintf(shape, sizeof(shape), "%dx%dx%d", n->out.h, n->out.w, n->out.c);
    fv_text_print(out, n->scope, scope_columns, true);
    fprintf(out, " %-18s %-13s %8.3f %8.3f %8.1f %8.1f %7.1f %6.1f\n", n->op, shape,
            1e3 * r->forward / replays, 1e3 * r->backward / replays, per_second(flops, r->forward),
            per_second(2.0 * flops, r->backward), per_second(bytes, r->forward),
            total > 0.0 ? 100.0 * (r->forward + r->backward) / total : 0.0);
}

/* ---- Begin and end ---- */

fv_status fv_timing_begin(fv_timing *out, const fv_plan *plan, fv_error *err)
{
    const int count = fv_plan_node_count(plan);
    row *rows = fv_alloc((size_t)count * sizeof(*rows));
    if (!rows) return fv_fail(err, FV_ERR_NOMEM, "profile: out of memory");
    for (int i = 0; i < count; i++) {
        rows[i].info = fv_plan_node_info(plan, i);
        fv_plan_node_seconds(plan, i, &rows[i].forward, &rows[i].backward);
    }
    *out = (fv_timing){ .plan = plan, .rows = rows, .count = count };
    return FV_OK;
}

void fv_timing_deinit(fv_timing *timing)
{
    fv_free(timing->rows);
    *timing = (fv_timing){ .plan = NULL };
}

void fv_timing_print(FILE *out, fv_timing *timing, int replays)
{
    int columns = (int)sizeof("layer") - 1;
    row sum = { .info = { .scope = "total", .op = "" } };
    for (int i = 0; i < timing->count; i++) {
        row *r = &timing->rows[i];
        double forward, backward;
        fv_plan_node_seconds(timing->plan, i, &forward, &backward);
        r->forward = forward - r->forward;
        r->backward = backward - r->backward;
        sum.forward += r->forward;
        sum.backward += r->backward;
        sum.info.macs += r->info.macs;
        columns = fv_max(columns, fv_min(fv_text_columns(r->info.scope), MAX_SCOPE_COLUMNS));
    }
    qsort(timing->rows, (size_t)timing->count, sizeof(*timing->rows), slowest_first);

    const double total = sum.forward + sum.backward;
    fprintf(out, "%-*s %-18s %-13s %8s %8s %8s %8s %7s %6s\n", columns, "layer", "operator",
            "output", "fwd ms", "bwd ms", "fwd GF/s", "bwd GF/s", "GB/s", "share%");
    for (int i = 0; i < timing->count; i++)
        print_row(out, &timing->rows[i], replays, total, columns);
    fprintf(out, "%-*s %8.3f %8.3f %8.1f %8.1f\n", columns + 33, "total",
            1e3 * sum.forward / replays, 1e3 * sum.backward / replays,
            per_second(2.0 * (double)sum.info.macs * replays, sum.forward),
            per_second(4.0 * (double)sum.info.macs * replays, sum.backward));
}
