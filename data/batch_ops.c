/* SPDX-License-Identifier: Apache-2.0 */
#include "data/batch_ops.h"

#include "base/compiler.h"
#include "base/memory.h"
#include "data/batch_impl.h"

#include <math.h>
#include <string.h>

typedef void draw_fn(const fv_batch_settings *s, int height, int width, void *scratch,
                     fv_random *random, fv_blend *blend);

typedef struct kind {
    const char *name;
    const fv_field *fields; /* `prob` is the first; it is for OpSampler only */
    draw_fn *draw;
} kind;

enum { MAX_SAMPLED = 3 };

struct fv_batch_ops {
    int count;
    const kind *kinds[MAX_SAMPLED];
    fv_batch_settings settings[MAX_SAMPLED]; /* their probabilities add up to 1 at most */
};

/* ---- What is drawn ---- */

/* The logarithm of a Gamma(a) number (Marsaglia, Tsang: A Simple Method for Generating Gamma
 * Variables, TOMS 2000); for a < 1 that of Gamma(a + 1) times U^(1/a), which as a number would
 * underflow. */
static double draw_log_gamma(fv_random *random, double a)
{
    const double d = (a < 1.0 ? a + 1.0 : a) - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);
    for (;;) {
        const double x = (double)fv_random_normal(random), v = pow(1.0 + c * x, 3.0);
        const double u = 1.0 - fv_random_double(random);
        if (v <= 0.0 || log(u) >= 0.5 * x * x + d - d * v + d * log(v)) continue;
        const double log_gamma = log(d * v);
        return a < 1.0 ? log_gamma + log(1.0 - fv_random_double(random)) / a : log_gamma;
    }
}

double fv_draw_beta(fv_random *random, double a, double b)
{
    const double x = draw_log_gamma(random, a), y = draw_log_gamma(random, b);
    return 1.0 / (1.0 + exp(y - x));
}

static void draw_mixup(const fv_batch_settings *s, int height, int width, void *scratch,
                       fv_random *random, fv_blend *blend)
{
    (void)height;
    (void)width;
    (void)scratch;
    blend->share = (float)fv_draw_beta(random, s->alpha, s->alpha);
    blend->mean = (double)blend->share;
}

/* A box of the share 1 - lambda about any pixel, as far as it lies inside. */
static void draw_cutmix(const fv_batch_settings *s, int height, int width, void *scratch,
                        fv_random *random, fv_blend *blend)
{
    (void)scratch;
    const double side = sqrt(1.0 - fv_draw_beta(random, s->alpha, s->alpha));
    const int half_height = (int)(height * side) / 2, half_width = (int)(width * side) / 2;
    const int y = fv_random_int(random, 0, height - 1), x = fv_random_int(random, 0, width - 1);
    blend->top = fv_max(y - half_height, 0);
    blend->bottom = fv_min(y + half_height, height);
    blend->left = fv_max(x - half_width, 0);
    blend->right = fv_min(x + half_width, width);
    const double box = (double)(blend->bottom - blend->top) * (blend->right - blend->left);
    blend->mean = 1.0 - box / ((double)height * width);
}

/* ---- Mixing ---- */

/* x = m x + (1 - m) y. */
static void blend_image(const fv_mixture *m, const fv_blend *b, float *x, const float *y)
{
    const size_t width = (size_t)m->width, pixels = (size_t)m->height * width;
    if (b->mask) {
        for (size_t i = 0; i < pixels; i++, x += 3, y += 3) {
            const float keep = b->mask[i], rest = 1.0f - keep;
            for (int c = 0; c < 3; c++) x[c] = keep * x[c] + rest * y[c];
        }
    } else if (b->bottom > b->top) {
        const size_t bytes = (size_t)(b->right - b->left) * 3 * sizeof(*x);
        for (int row = b->top; row < b->bottom; row++) {
            const size_t at = ((size_t)row * width + (size_t)b->left) * 3;
            memcpy(x + at, y + at, bytes);
        }
    } else {
        const float keep = b->share, rest = 1.0f - keep;
        for (size_t i = 0; i < pixels * 3; i++) x[i] = keep * x[i] + rest * y[i];
    }
}

/* Mixes picture i with picture p[i], for all i, in place: along each cycle of p, whose first
 * picture is kept aside for the last. Pictures that meet themselves stay. `p` is used up. */
static void blend_cycles(const fv_mixture *m, const fv_blend *b, int *p, float *aside)
{
    const size_t image = (size_t)m->height * (size_t)m->width * 3;
    for (int first = 0; first < m->count; first++) {
        if (p[first] < 0 || p[first] == first) continue;
        memcpy(aside, m->images + (size_t)first * image, image * sizeof(*aside));
        for (int i = first; i >= 0;) {
            const int next = p[i];
            const float *y = next == first ? aside : m->images + (size_t)next * image;
            blend_image(m, b, m->images + (size_t)i * image, y);
            p[i] = -1;
            i = next == first ? -1 : next;
        }
    }
}

/* The scratch holds a permutation, a picture, and what a mask needs, each from a multiple of
 * 64 bytes on. */
static size_t round_up(size_t bytes) { return (bytes + 63) / 64 * 64; }

static size_t order_bytes(int count) { return round_up((size_t)count * sizeof(int)); }

static size_t image_bytes(int height, int width)
{
    return round_up((size_t)height * (size_t)width * 3 * sizeof(float));
}

size_t fv_batch_ops_scratch(const fv_batch_ops *ops, int count, int height, int width)
{
    const size_t bytes = order_bytes(count) + image_bytes(height, width);
    bool masks = false;
    for (int i = 0; i < ops->count; i++) masks |= ops->kinds[i]->draw == fv_fmix_draw;
    return bytes + (masks ? fv_fmix_scratch(height, width) : 0);
}

static int draw_kind(const fv_batch_ops *ops, fv_random *random)
{
    const double x = fv_random_double(random);
    double sum = 0.0;
    for (int i = 0; i < ops->count; i++) {
        sum += ops->settings[i].prob;
        if (x < sum) return i;
    }
    return -1;
}

void fv_batch_ops_run(const fv_batch_ops *ops, const fv_mixture *m, fv_random *random)
{
    char *scratch = m->scratch;
    int *p = (int *)(void *)scratch;
    float *aside = (float *)(void *)(scratch + order_bytes(m->count));
    void *rest = scratch + order_bytes(m->count) + image_bytes(m->height, m->width);
    fv_blend blend = { .share = 1.0f, .mean = 1.0 };
    const int chosen = draw_kind(ops, random);
    for (int i = 0; i < m->count; i++) p[i] = i;
    if (chosen >= 0) {
        for (int i = m->count - 1; i > 0; i--) {
            const int j = fv_random_int(random, 0, i), moved = p[i];
            p[i] = p[j];
            p[j] = moved;
        }
        ops->kinds[chosen]->draw(&ops->settings[chosen], m->height, m->width, rest, random, &blend);
    }
    for (int i = 0; i < m->count; i++) {
        m->partners[i] = m->labels[p[i]];
        m->shares[i] = p[i] == i ? 1.0f : (float)blend.mean;
    }
    blend_cycles(m, &blend, p, aside);
}

void fv_mix_targets(const float *labels, const float *partners, const float *shares, int count,
                    int classes, float *targets)
{
    memset(targets, 0, (size_t)count * (size_t)classes * sizeof(*targets));
    for (int n = 0; n < count; n++, targets += classes) {
        targets[(int)labels[n]] += shares[n];
        targets[(int)partners[n]] += 1.0f - shares[n];
    }
}

/* ---- Reading ---- */

#define PROB \
    { \
        FV_FIELD(fv_batch_settings, prob, FV_DOUBLE), FV_FIELD_RANGE(0.0, 1.0), \
            .otherwise_text = FV_REQUIRED \
    }
#define ALPHA(otherwise) FV_FIELD_DOUBLE(fv_batch_settings, alpha, otherwise, 1e-3, 1e3)

static const fv_field mixup_fields[] = { PROB, ALPHA(1.0), FV_FIELD_END };
static const fv_field cutmix_fields[] = { PROB, ALPHA(0.2), FV_FIELD_END };
static const fv_field fmix_fields[] = {
    PROB,
    ALPHA(1.0),
    FV_FIELD_DOUBLE(fv_batch_settings, decay_power, 3.0, 0.0, 10.0),
    FV_FIELD_DOUBLE(fv_batch_settings, max_soft, 0.0, 0.0, 0.5),
    FV_FIELD_BOOL(fv_batch_settings, reformulate, false),
    FV_FIELD_END,
};

static const kind kinds[] = {
    { "MixupOperator", mixup_fields, draw_mixup },
    { "CutmixOperator", cutmix_fields, draw_cutmix },
    { "FmixOperator", fmix_fields, fv_fmix_draw },
};

static fv_status fail_unknown(fv_config_node *node, const char *name, bool sampled, fv_error *err)
{
    if (strcmp(name, "MixupCutmixHybrid") == 0) {
        return fv_config_fail(node, err,
                              "%s is PaddleClas's and not supported here: OpSampler draws "
                              "one of MixupOperator and CutmixOperator",
                              name);
    }
    const char *names[FV_ARRAY_LEN(kinds) + 2] = { NULL };
    for (size_t i = 0; i < FV_ARRAY_LEN(kinds); i++) names[i] = kinds[i].name;
    if (!sampled) names[FV_ARRAY_LEN(kinds)] = "OpSampler";
    const char *nearest = fv_config_nearest(name, names);
    if (nearest) {
        return fv_config_fail(node, err, "no operation on batches \"%s\", did you mean \"%s\"?",
                              name, nearest);
    }
    return fv_config_fail(node, err,
                          "no operation on batches \"%s\": there are MixupOperator, "
                          "CutmixOperator, FmixOperator%s",
                          name, sampled ? "" : " and OpSampler");
}

static fv_status add(fv_batch_ops *ops, fv_config_node *element, const char *name,
                     fv_config_node *map, bool sampled, fv_error *err)
{
    for (size_t i = 0; i < FV_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, name) != 0) continue;
        fv_batch_settings *s = &ops->settings[ops->count];
        s->prob = 1.0;
        ops->kinds[ops->count++] = &kinds[i];
        return fv_config_read(map, kinds[i].fields + (sampled ? 0 : 1), s, err);
    }
    return fail_unknown(element, name, sampled, err);
}

static fv_status add_sampled(fv_batch_ops *ops, fv_config_node *map, fv_config_node *element,
                             fv_error *err)
{
    const int count = fv_config_count(map);
    if (fv_config_node_type(map) != FV_CONFIG_MAP || count < 1) {
        return fv_config_fail(
            map ? map : element, err,
            "must hold operations, e.g. {MixupOperator: {alpha: 0.8, prob: 0.5}}");
    }
    double sum = 0.0;
    for (int i = 0; i < count; i++) {
        const char *name = fv_config_key_at(map, i);
        fv_config_node *options = fv_config_child(map, name);
        FV_TRY(add(ops, options ? options : map, name, options, true, err));
        sum += ops->settings[i].prob;
    }
    if (sum > 1.0 + 1e-9) {
        return fv_config_fail(map, err, "the probabilities add up to %g, which is more than 1",
                              sum);
    }
    return FV_OK;
}

static fv_status read_list(fv_batch_ops *ops, fv_config_node *list, fv_error *err)
{
    if (fv_config_node_type(list) != FV_CONFIG_LIST || fv_config_count(list) != 1) {
        return fv_config_fail(list, err,
                              "must be a list of one operation; OpSampler draws one of several");
    }
    fv_config_node *element = fv_config_at(list, 0);
    if (fv_config_node_type(element) != FV_CONFIG_MAP || fv_config_count(element) != 1) {
        return fv_config_fail(element ? element : list, err,
                              "must be one operation, \"- Name: {options}\"");
    }
    const char *name = fv_config_key_at(element, 0);
    fv_config_node *map = fv_config_child(element, name);
    if (strcmp(name, "OpSampler") == 0) return add_sampled(ops, map, element, err);
    return add(ops, element, name, map, false, err);
}

fv_status fv_batch_ops_create(fv_batch_ops **out, fv_config_node *list, fv_error *err)
{
    *out = NULL;
    if (!list) return FV_OK;
    fv_batch_ops *ops = fv_alloc(sizeof(*ops));
    if (!ops) return fv_fail(err, FV_ERR_NOMEM, "batch operations: out of memory");
    const fv_status status = read_list(ops, list, err);
    if (status == FV_OK)
        *out = ops;
    else
        fv_batch_ops_destroy(ops);
    return status;
}

void fv_batch_ops_destroy(fv_batch_ops *ops) { fv_free(ops); }
