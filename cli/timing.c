/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/timing.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

typedef fv_timing_row row;

static double seconds_of(const fv_plan *plan, int node, bool backward)
{
    double seconds[2];
    fv_plan_node_seconds(plan, node, &seconds[false], &seconds[true]);
    return seconds[backward];
}

/* ---- Begin ---- */

/* Until the end, `seconds` is what had been spent at the beginning. */
static row row_of(const fv_plan *plan, int node, const fv_node_work *work, bool backward)
{
    const fv_node_info info = fv_plan_node_info(plan, node);
    const fv_pass_work *pass = backward ? &work->backward : &work->forward;
    const char *suffix = strchr(info.op, '+');
    row r = { .layer = info.scope,
              .suffix = suffix ? suffix : "",
              .backward = backward,
              .node = node,
              .out = work->out,
              .operators = 1,
              .seconds = seconds_of(plan, node, backward),
              .flops = 2.0 * (double)pass->macs,
              .bytes = (double)pass->bytes };
    memcpy(r.kind, work->kind, sizeof(r.kind));
    return r;
}

fv_status fv_timing_begin(fv_timing *out, const fv_plan *plan, fv_error *err)
{
    const int nodes = fv_plan_node_count(plan);
    fv_timing t = { .plan = plan,
                    .rows = fv_alloc(2 * (size_t)nodes * sizeof(*t.rows)),
                    .kinds = fv_alloc(2 * (size_t)nodes * sizeof(*t.kinds)) };
    *out = t;
    if (!t.rows || !t.kinds) {
        fv_timing_deinit(out);
        return fv_fail(err, FV_ERR_NOMEM, "profile: out of memory");
    }
    for (int i = 0; i < nodes; i++) {
        const fv_node_work work = fv_plan_node_work(plan, i);
        t.rows[out->row_count++] = row_of(plan, i, &work, false);
        if (work.backward.bytes) t.rows[out->row_count++] = row_of(plan, i, &work, true);
    }
    return FV_OK;
}

void fv_timing_deinit(fv_timing *timing)
{
    fv_free(timing->rows);
    fv_free(timing->kinds);
    *timing = (fv_timing){ .plan = NULL };
}

/* ---- End ---- */

static int most_lost_first(const void *x, const void *y)
{
    const row *a = x, *b = y;
    const double left = a->seconds - a->least, right = b->seconds - b->least;
    return (left < right) - (left > right);
}

static void add(row *sum, const row *r)
{
    sum->operators += r->operators;
    sum->seconds += r->seconds;
    sum->least += r->least;
    sum->flops += r->flops;
    sum->bytes += r->bytes;
}

/* The sum that a row belongs to; a new one if it is the first. */
static row *kind_of(fv_timing *t, const row *r)
{
    for (int i = 0; i < t->kind_count; i++) {
        row *k = &t->kinds[i];
        if (k->backward == r->backward && strcmp(k->kind, r->kind) == 0) return k;
    }
    row *k = &t->kinds[t->kind_count++];
    *k = (row){ .layer = "", .suffix = "", .backward = r->backward };
    memcpy(k->kind, r->kind, sizeof(k->kind));
    return k;
}

void fv_timing_end(fv_timing *timing, const fv_roofline *roofline, int replays, double step_seconds)
{
    const row none = { .layer = "", .suffix = "" };
    timing->roofline = *roofline;
    timing->step_seconds = step_seconds;
    timing->forward = timing->backward = timing->total = none;
    timing->backward.backward = true;
    for (int i = 0; i < timing->row_count; i++) {
        row *r = &timing->rows[i];
        r->seconds = (seconds_of(timing->plan, r->node, r->backward) - r->seconds) / replays;
        r->least = fv_roofline_seconds(roofline, r->flops, r->bytes);
        add(kind_of(timing, r), r);
        add(r->backward ? &timing->backward : &timing->forward, r);
        add(&timing->total, r);
    }
    timing->total.operators = timing->forward.operators; /* not their passes */
    qsort(timing->rows, (size_t)timing->row_count, sizeof(*timing->rows), most_lost_first);
    qsort(timing->kinds, (size_t)timing->kind_count, sizeof(*timing->kinds), most_lost_first);
}
