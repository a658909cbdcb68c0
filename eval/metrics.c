/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/metrics.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>

int fv_rank(const float *logits, int classes, int label)
{
    const float own = logits[label];
    if (isnan(own)) return INT_MAX;
    int rank = 0;
    for (int c = 0; c < classes; c++)
        rank += logits[c] > own || isnan(logits[c]) || (logits[c] == own && c < label);
    return rank;
}

void fv_metrics_add(fv_metrics *m, const float *logits, int classes, int label)
{
    bool finite = true;
    float largest = -INFINITY;
    for (int c = 0; c < classes; c++) {
        finite = finite && isfinite(logits[c]);
        if (logits[c] > largest) largest = logits[c];
    }
    m->images++;
    if (!finite) m->nonfinite++;

    const int rank = fv_rank(logits, classes, label);
    if (rank < FV_MAX_TOP) m->ranked[rank]++;

    double sum = 0.0;
    for (int c = 0; c < classes; c++) sum += exp((double)logits[c] - (double)largest);
    m->loss_sum += log(sum) - ((double)logits[label] - (double)largest);
    m->confidence_sum += 1.0 / sum;
}

void fv_metrics_add_unreadable(fv_metrics *m)
{
    m->images++;
    m->unreadable++;
}

double fv_metrics_top(const fv_metrics *m, int k)
{
    int64_t right = 0;
    for (int rank = 0; rank < k; rank++) right += m->ranked[rank];
    return m->images ? (double)right / (double)m->images : 0.0;
}

static double mean(const fv_metrics *m, double sum)
{
    const int64_t readable = m->images - m->unreadable;
    return readable ? sum / (double)readable : 0.0;
}

double fv_metrics_loss(const fv_metrics *m) { return mean(m, m->loss_sum); }
double fv_metrics_confidence(const fv_metrics *m) { return mean(m, m->confidence_sum); }
