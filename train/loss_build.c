/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/ops.h"
#include "train/loss_impl.h"

static fv_tensor *add_weighted(fv_graph *g, fv_tensor *sum, fv_tensor *x, float weight)
{
    if (weight != 1.0f) x = fv_scale(g, x, weight);
    return sum ? fv_add(g, sum, x) : x;
}

/* ---- The kinds ---- */

static fv_tensor *of_outputs(fv_graph *g, const fv_loss_term *term, const fv_loss_sides *s,
                             const float *weights, int count)
{
    if (s->model->count != count)
        return fv_graph_fail(g, "%s is for models with %d output%s, this one has %d",
                             term->kind->name, count, count == 1 ? "" : "s", s->model->count);
    fv_tensor *sum = NULL, *targets = s->targets;
    float epsilon = term->epsilon;
    if (term->class_weights) {
        const int classes = fv_tensor_shape(s->model->outputs[0]).c;
        targets = fv_class_weighted(
            g, targets, (fv_class_weighted_attr){ classes, epsilon, term->class_weights });
        epsilon = 0.0f; /* has been done */
    }
    for (int i = 0; i < count; i++) {
        fv_tensor *x = fv_cross_entropy(g, s->model->outputs[i], targets, epsilon);
        sum = add_weighted(g, sum, x, weights[i]);
    }
    return sum;
}

fv_tensor *fv_loss_ce(fv_graph *g, const fv_loss_term *term, const fv_loss_sides *s)
{
    static const float one = 1.0f;
    return of_outputs(g, term, s, &one, 1);
}

fv_tensor *fv_loss_googlenet(fv_graph *g, const fv_loss_term *term, const fv_loss_sides *s)
{
    static const float weights[] = { 1.0f, 0.3f, 0.3f };
    return of_outputs(g, term, s, weights, 3);
}

/* The class numbers, or NULL: the teacher's choice. */
static fv_tensor *class_numbers(fv_graph *g, const fv_loss_term *term, const fv_loss_sides *s)
{
    if (term->teachers_choice) return NULL;
    if (fv_tensor_shape(s->targets).c > 1)
        return fv_graph_fail(g,
                             "%s wants one class for each picture, which mixed ones have not: "
                             "set use_target_as_gt to True",
                             term->kind->name);
    return s->targets;
}

fv_tensor *fv_loss_distill_ce(fv_graph *g, const fv_loss_term *term, const fv_loss_sides *s)
{
    fv_tensor *targets = s->teacher ? fv_softmax(g, s->teacher, 1.0f) : s->targets;
    return fv_cross_entropy(g, s->learner, targets, term->epsilon);
}

fv_tensor *fv_loss_kl(fv_graph *g, const fv_loss_term *term, const fv_loss_sides *s)
{
    const float t = term->temperature;
    fv_tensor *x = fv_scale(g, s->learner, 1.0f / t);
    return fv_scale(g, fv_kl_divergence(g, x, fv_softmax(g, s->teacher, t)), t * t);
}

fv_tensor *fv_loss_dml(fv_graph *g, const fv_loss_term *term, const fv_loss_sides *s)
{
    fv_tensor *p = fv_softmax(g, s->learner, 1.0f), *q = fv_softmax(g, s->teacher, 1.0f);
    const float factor = term->over_classes ? (float)fv_tensor_shape(s->learner).c : 1.0f;
    return fv_scale(g, fv_jeffreys(g, p, q), factor);
}

fv_tensor *fv_loss_dkd(fv_graph *g, const fv_loss_term *term, const fv_loss_sides *s)
{
    const fv_decoupled_attr attr = { term->temperature, term->alpha, term->beta };
    return fv_decoupled_kl(g, s->learner, s->teacher, class_numbers(g, term, s), attr);
}

fv_tensor *fv_loss_dist(fv_graph *g, const fv_loss_term *term, const fv_loss_sides *s)
{
    fv_tensor *p = fv_softmax(g, s->learner, 1.0f), *q = fv_softmax(g, s->teacher, 1.0f);
    fv_tensor *rows = fv_scale(g, fv_correlation(g, p, q, false), term->beta);
    return fv_add(g, rows, fv_scale(g, fv_correlation(g, p, q, true), term->gamma));
}

fv_tensor *fv_loss_wsl(fv_graph *g, const fv_loss_term *term, const fv_loss_sides *s)
{
    const float t = term->temperature;
    fv_tensor *labels = class_numbers(g, term, s);
    fv_tensor *targets = fv_weighted_soft(g, s->learner, s->teacher, labels, t);
    return fv_scale(g, fv_cross_entropy(g, fv_scale(g, s->learner, 1.0f / t), targets, 0.0f),
                    t * t);
}

/* ---- The sum ---- */

static fv_tensor *build_pairs(fv_graph *g, const fv_loss_term *term, const fv_loss_model *models,
                              fv_tensor *targets)
{
    fv_tensor *sum = NULL;
    for (int i = 0; i < term->pair_count; i++) {
        const fv_loss_pair pair = term->pairs[i];
        const fv_loss_sides sides = {
            .model = &models[pair.learner],
            .learner = models[pair.learner].outputs[0],
            .teacher = pair.teacher < 0 ? NULL : models[pair.teacher].outputs[0],
            .targets = targets,
        };
        sum = add_weighted(g, sum, term->kind->build(g, term, &sides), 1.0f);
    }
    return sum;
}

fv_tensor *fv_loss_build(fv_graph *g, const fv_loss *loss, const fv_loss_model *models,
                         fv_tensor *targets)
{
    fv_tensor *sum = NULL;
    for (int i = 0; i < loss->count; i++) {
        const fv_loss_term *term = &loss->terms[i];
        const fv_loss_sides one = { .model = models, .targets = targets };
        fv_tensor *x = term->pair_count ? build_pairs(g, term, models, targets)
                                        : term->kind->build(g, term, &one);
        sum = add_weighted(g, sum, x, term->weight);
    }
    return sum;
}
