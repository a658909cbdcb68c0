/* SPDX-License-Identifier: Apache-2.0 */
/* Three habits of PaddleClas that look like slips are kept, since published recipes were tuned
 * with them: boundaries are counted from the end of the warm-up, so they come that much later
 * than written; Linear counts its warm-up in steps even by epoch; and a learning_rate given to
 * Piecewise replaces both lists by a division by 10 every 30 epochs. */
#include "optim/schedule_impl.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;
enum { REBUILT_EPOCHS = 30 }; /* of Piecewise with a learning_rate */

typedef enum schedule_kind { CONSTANT, COSINE, LINEAR, STEP, PIECEWISE, MULTI_STEP } schedule_kind;

typedef struct schedule_type {
    const char *name;
    schedule_kind kind;
    const fv_field *fields;
} schedule_type;

struct fv_schedule {
    const schedule_type *type;
    fv_schedule_settings settings;
    int64_t steps_per_epoch;
    double factor;   /* q: units of time per epoch */
    double base;     /* the rate at the end of the warm-up */
    double warmup;   /* units */
    double duration; /* units that Cosine and Linear take */
    double interval; /* Step: units between two decays */
    double scale;    /* of all rates, for the size of a batch */
    int rebuilt;     /* Piecewise from a learning_rate: number of values, else 0 */
};

/* ---- The keys ---- */

/* clang-format off */
#define COMMON_FIELDS \
    FV_FIELD_STRING(fv_schedule_settings, name, "Constant"), \
    FV_FIELD_DOUBLE(fv_schedule_settings, learning_rate, -1, 0, 1e3), \
    FV_FIELD_BOOL(fv_schedule_settings, by_epoch, false), \
    FV_FIELD_DOUBLE(fv_schedule_settings, warmup_epoch, 0, 0, 1e6), \
    FV_FIELD_DOUBLE(fv_schedule_settings, warmup_start_lr, 0, 0, 1e3), \
    FV_FIELD_INT(fv_schedule_settings, last_epoch, -1, -1, -1), \
    FV_FIELD_INT(fv_schedule_settings, base_batch_size, 0, 1, 1e6), \
    FV_FIELD_IGNORED("epochs", "Global.epochs counts"), \
    FV_FIELD_IGNORED("step_each_epoch", "counted from the data"), \
    FV_FIELD_IGNORED("verbose", "the rate is logged in any case")

static const fv_field constant_fields[] = { COMMON_FIELDS, FV_FIELD_END };

static const fv_field cosine_fields[] = {
    COMMON_FIELDS,
    FV_FIELD_DOUBLE(fv_schedule_settings, eta_min, 0, 0, 1e3),
    FV_FIELD_END
};

static const fv_field linear_fields[] = {
    COMMON_FIELDS,
    FV_FIELD_DOUBLE(fv_schedule_settings, end_lr, 0, 0, 1e3),
    FV_FIELD_DOUBLE(fv_schedule_settings, power, 1, 0, 100),
    FV_FIELD_BOOL(fv_schedule_settings, cycle, false),
    FV_FIELD_END
};

static const fv_field step_fields[] = {
    COMMON_FIELDS,
    FV_FIELD_DOUBLE(fv_schedule_settings, step_size, 0, 0, 1e6),
    FV_FIELD_DOUBLE(fv_schedule_settings, gamma, 0.1, 0, 1),
    FV_FIELD_END
};

static const fv_field piecewise_fields[] = {
    COMMON_FIELDS,
    FV_FIELD_FLOATS(fv_schedule_settings, decay_epochs, 0, 1e6),
    FV_FIELD_FLOATS(fv_schedule_settings, values, 0, 1e3),
    FV_FIELD_END
};

static const fv_field multi_step_fields[] = {
    COMMON_FIELDS,
    FV_FIELD_FLOATS(fv_schedule_settings, milestones, 0, 1e6),
    FV_FIELD_DOUBLE(fv_schedule_settings, gamma, 0.1, 0, 1),
    FV_FIELD_END
};
/* clang-format on */

static const schedule_type types[] = {
    { "Constant", CONSTANT, constant_fields },
    { "ConstLR", CONSTANT, constant_fields },
    { "Cosine", COSINE, cosine_fields },
    { "Linear", LINEAR, linear_fields },
    { "Polynomial", LINEAR, linear_fields },
    { "Step", STEP, step_fields },
    { "Piecewise", PIECEWISE, piecewise_fields },
    { "MultiStepDecay", MULTI_STEP, multi_step_fields },
};

static const char *const known_names[] = { "Constant",  "ConstLR",        "Cosine",
                                           "Linear",    "Polynomial",     "Step",
                                           "Piecewise", "MultiStepDecay", NULL };

static const schedule_type *find_type(const char *name)
{
    for (size_t i = 0; i < FV_ARRAY_LEN(types); i++)
        if (strcmp(types[i].name, name) == 0) return &types[i];
    return NULL;
}

/* ---- The rate ---- */

static double cosine_rate(const fv_schedule *s, double u)
{
    if (s->duration <= 0) return s->base;
    const double low = s->settings.eta_min;
    return low + (s->base - low) * (1 + cos(PI * u / s->duration)) / 2;
}

static double linear_rate(const fv_schedule *s, double u)
{
    if (s->duration <= 0) return s->base;
    double duration = s->duration;
    if (s->settings.cycle)
        duration *= fmax(1, ceil(u / duration));
    else
        u = fmin(u, duration);
    const double end = s->settings.end_lr;
    return end + (s->base - end) * pow(1 - u / duration, s->settings.power);
}

/* How many of the epochs lie at or before time u. */
static int passed(const fv_schedule *s, const fv_floats *epochs, double u)
{
    int count = 0;
    while (count < epochs->count && epochs->values[count] * s->factor <= u) count++;
    return count;
}

static double piecewise_rate(const fv_schedule *s, double u)
{
    if (!s->rebuilt) return s->settings.values.values[passed(s, &s->settings.decay_epochs, u)];
    const double decays = floor(u / (REBUILT_EPOCHS * s->factor));
    return s->base * pow(0.1, fmin(decays, s->rebuilt - 1));
}

static double unscaled_rate(const fv_schedule *s, int64_t step)
{
    const double k = (double)(s->settings.by_epoch ? step / s->steps_per_epoch : step);
    const double start = s->settings.warmup_start_lr;
    if (k < s->warmup) return start + (s->base - start) * k / s->warmup;

    const double u = k - s->warmup;
    switch (s->type->kind) {
    case CONSTANT: break;
    case COSINE: return cosine_rate(s, u);
    case LINEAR: return linear_rate(s, u);
    case STEP: return s->base * pow(s->settings.gamma, floor(u / s->interval));
    case PIECEWISE: return piecewise_rate(s, u);
    case MULTI_STEP: return s->base * pow(s->settings.gamma, passed(s, &s->settings.milestones, u));
    }
    return s->base;
}

double fv_schedule_rate(const fv_schedule *s, int64_t step)
{
    assert(step >= 0);
    return s->scale * unscaled_rate(s, step);
}

/* ---- From settings ---- */

static fv_status check_ascending(const fv_floats *list, const char *key, fv_error *err)
{
    for (int i = 1; i < list->count; i++)
        if (list->values[i] <= list->values[i - 1])
            return fv_fail(err, FV_ERR_CONFIG,
                           "%s: %g after %g: give the epochs in ascending order", key,
                           list->values[i], list->values[i - 1]);
    return FV_OK;
}

static fv_status prepare_piecewise(fv_schedule *s, int epochs, fv_error *err)
{
    const fv_floats *values = &s->settings.values, *decay = &s->settings.decay_epochs;
    if (s->settings.learning_rate > 0) {
        s->rebuilt = (epochs + REBUILT_EPOCHS - 1) / REBUILT_EPOCHS;
        return FV_OK;
    }
    if (values->count != decay->count + 1)
        return fv_fail(err, FV_ERR_CONFIG,
                       "values: %d rates for %d decay_epochs: give one rate more than epochs",
                       values->count, decay->count);
    s->base = values->values[0];
    return check_ascending(decay, "decay_epochs", err);
}

static fv_status prepare(fv_schedule *s, int epochs, fv_error *err)
{
    const fv_schedule_settings *o = &s->settings;
    if (s->type->kind != PIECEWISE && o->learning_rate < 0)
        return fv_fail(err, FV_ERR_CONFIG, "learning_rate: missing: %s needs it", s->type->name);

    switch (s->type->kind) {
    case CONSTANT: break;
    case COSINE:
    case LINEAR: s->duration = (epochs - o->warmup_epoch) * s->factor; break;
    case STEP:
        if (o->step_size <= 0)
            return fv_fail(err, FV_ERR_CONFIG,
                           "step_size: missing: give the epochs between decays");
        s->interval = o->by_epoch ? o->step_size : floor(o->step_size * s->factor);
        if (s->interval <= 0)
            return fv_fail(
                err, FV_ERR_CONFIG,
                "step_size: %g epochs of %lld steps are less than one step: make it larger",
                o->step_size, (long long)s->steps_per_epoch);
        break;
    case PIECEWISE: return prepare_piecewise(s, epochs, err);
    case MULTI_STEP:
        if (!o->milestones.count)
            return fv_fail(err, FV_ERR_CONFIG,
                           "milestones: missing: give the epochs of the decays");
        return check_ascending(&o->milestones, "milestones", err);
    }
    return FV_OK;
}

fv_status fv_schedule_create_from(fv_schedule **out, const fv_schedule_settings *settings,
                                  int epochs, int64_t steps_per_epoch, fv_error *err)
{
    assert(epochs > 0 && steps_per_epoch > 0);
    const schedule_type *type = find_type(settings->name);
    if (!type)
        return fv_fail(err, FV_ERR_CONFIG, "name: unknown schedule \"%.60s\"", settings->name);
    fv_schedule *s = fv_alloc(sizeof(*s));
    if (!s) return fv_fail(err, FV_ERR_NOMEM, "learning rate: out of memory");
    s->type = type;
    s->settings = *settings;
    s->steps_per_epoch = steps_per_epoch;
    s->factor = settings->by_epoch ? 1 : (double)steps_per_epoch;
    s->base = settings->learning_rate;
    s->scale = 1.0;

    const double warmup = fmin(settings->warmup_epoch, epochs);
    s->settings.warmup_epoch = warmup;
    const bool in_epochs = settings->by_epoch && type->kind != LINEAR;
    /* rint() rounds halves to even, as Python's round() does. */
    s->warmup = in_epochs ? warmup : rint(warmup * (double)steps_per_epoch);

    fv_status status = prepare(s, epochs, err);
    if (status == FV_OK && s->warmup > 0 && settings->warmup_start_lr > s->base)
        status = fv_fail(err, FV_ERR_CONFIG,
                         "warmup_start_lr: %g is above %g, where the warm-up ends: start lower",
                         settings->warmup_start_lr, s->base);
    if (status != FV_OK) {
        fv_free(s);
        return status;
    }
    *out = s;
    return FV_OK;
}

void fv_schedule_destroy(fv_schedule *schedule) { fv_free(schedule); }

const char *fv_schedule_name(const fv_schedule *schedule) { return schedule->type->name; }

static fv_status unknown_name(fv_config_node *node, const char *name, fv_error *err)
{
    const char *near = fv_config_nearest(name, known_names);
    if (near)
        return fv_config_fail(node, err, "unknown schedule \"%.60s\", did you mean \"%s\"?", name,
                              near);
    return fv_config_fail(
        node, err,
        "unknown schedule \"%.60s\", known are Constant, ConstLR, Cosine, Linear, "
        "Polynomial, Step, Piecewise, MultiStepDecay",
        name);
}

/* What was written and does not count. */
static void tell_unused(fv_config_node *lr, const fv_schedule *s, double warmup, int epochs)
{
    if (s->rebuilt)
        fv_config_tell(fv_config_child(lr, "learning_rate"),
                       "given, so decay_epochs and values do not count: the rate is %g, divided "
                       "by 10 every %d epochs; remove learning_rate to use the lists",
                       s->base, REBUILT_EPOCHS);
    if (warmup > epochs)
        fv_config_tell(fv_config_child(lr, "warmup_epoch"),
                       "%g is more than the %d epochs of the run: %d is used", warmup, epochs,
                       epochs);
}

/* The linear scaling rule of Goyal et al., arXiv:1706.02677. */
static void scale(fv_schedule *s, fv_config_node *lr, int64_t batch)
{
    const int base = s->settings.base_batch_size;
    if (base == 0 || batch == 0) return;
    s->scale = (double)batch / (double)base;
    fv_config_tell(fv_config_child(lr, "base_batch_size"),
                   "the rates are for batches of %d pictures and a step has %lld: all are "
                   "multiplied by %g, %g becomes %g",
                   base, (long long)batch, s->scale, s->base, s->scale * s->base);
}

fv_status fv_schedule_create(fv_schedule **out, fv_config_node *lr, int epochs,
                             int64_t steps_per_epoch, int64_t batch, fv_error *err)
{
    if (fv_config_node_type(lr) != FV_CONFIG_MAP)
        return lr ? fv_config_fail(lr, err, "a map with name and learning_rate is expected")
                  : fv_fail(err, FV_ERR_CONFIG,
                            "Optimizer.lr: missing: give name and learning_rate");
    fv_config_node *name = fv_config_child(lr, "name");
    const char *text = name ? fv_config_node_text(name) : "Constant";
    const schedule_type *type = find_type(text ? text : "");
    if (!type) return unknown_name(name, text ? text : "", err);

    fv_schedule_settings settings;
    FV_TRY(fv_config_read(lr, type->fields, &settings, err));
    fv_error why = { 0 };
    const fv_status status = fv_schedule_create_from(out, &settings, epochs, steps_per_epoch, &why);
    if (status == FV_ERR_CONFIG) return fv_config_fail(lr, err, "%s", why.message);
    if (status != FV_OK) return fv_fail(err, status, "%s", why.message);
    tell_unused(lr, *out, settings.warmup_epoch, epochs);
    scale(*out, lr, batch);
    return FV_OK;
}
