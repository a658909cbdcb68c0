/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters that differ: those that do not decay, and those with factors of their own. */
#include "optim/optimizer_impl.h"

#include "base/log.h"

#include <fnmatch.h>
#include <string.h>

/* ---- No decay ---- */

static void exempt_one_dimensional(fv_optimizer *o)
{
    for (int i = 0; i < o->subject_count; i++)
        if (o->subjects[i].param->rank == 1) o->subjects[i].decay = 0.0f;
}

/* Those with `word` in their names. */
static void exempt_named(fv_optimizer *o, const char *word)
{
    int count = 0;
    for (int i = 0; i < o->subject_count; i++) {
        fv_subject *s = &o->subjects[i];
        if (!strstr(s->param->name, word)) continue;
        s->decay = 0.0f;
        count++;
    }
    if (count == 0 && o->subject_count > 0)
        fv_log(FV_LOG_NOTICE,
               "Optimizer.no_weight_decay_name: no trained parameter has \"%s\" in its name", word);
}

static fv_status exempt(fv_optimizer *o, fv_error *err)
{
    static const char BLANKS[] = " \t\r\n";
    const char *words = o->settings.no_weight_decay_name;
    char word[256];
    if (o->settings.one_dim_param_no_weight_decay) exempt_one_dimensional(o);
    while (words && *(words += strspn(words, BLANKS))) {
        const size_t length = strcspn(words, BLANKS);
        if (length >= sizeof(word))
            return fv_fail(err, FV_ERR_CONFIG,
                           "Optimizer.no_weight_decay_name: a word of %zu letters, above %zu: "
                           "blanks part the words",
                           length, sizeof(word) - 1);
        memcpy(word, words, length);
        word[length] = '\0';
        exempt_named(o, word);
        words += length;
    }
    return FV_OK;
}

/* ---- Groups ---- */

typedef struct group {
    fv_config_node *params;
    double lr_mult, decay_mult;
} group;

static const fv_field group_fields[] = {
    { .key = "params",
      .type = FV_NODE,
      .offset = offsetof(group, params),
      .otherwise_text = FV_REQUIRED },
    FV_FIELD_DOUBLE(group, lr_mult, 1, 0, 1e6),
    FV_FIELD_DOUBLE(group, decay_mult, 1, 0, 1e6),
    FV_FIELD_END,
};

/* Patterns are one text or a list of them. */
static int count_patterns(const fv_config_node *params)
{
    return fv_config_node_text(params) ? 1 : fv_config_count(params);
}

static fv_config_node *pattern_at(fv_config_node *params, int i)
{
    return fv_config_node_text(params) ? params : fv_config_at(params, i);
}

static bool matches(fv_config_node *params, const char *name)
{
    for (int i = 0; i < count_patterns(params); i++)
        if (fnmatch(fv_config_node_text(pattern_at(params, i)), name, 0) == 0) return true;
    return false;
}

/* An earlier group that names the parameter too, or NULL. */
static fv_config_node *earlier_group(fv_config_node *groups, int before, const char *name)
{
    for (int i = 0; i < before; i++) {
        fv_config_node *map = fv_config_at(groups, i);
        if (matches(fv_config_child(map, "params"), name)) return map;
    }
    return NULL;
}

static fv_status check_pattern(const fv_optimizer *o, fv_config_node *pattern, fv_error *err)
{
    const char *text = fv_config_node_text(pattern);
    int frozen = 0;
    if (!text) return fv_config_fail(pattern, err, "must be a pattern of names");
    for (int i = 0; i < o->subject_count; i++)
        if (fnmatch(text, o->subjects[i].param->name, 0) == 0) return FV_OK;
    for (int i = 0; i < fv_params_count(o->params); i++) {
        const fv_param *p = fv_params_at(o->params, i);
        frozen += p->trained && p->frozen && fnmatch(text, p->name, 0) == 0;
    }
    if (frozen > 0)
        return fv_config_fail(pattern, err, "what matches \"%s\" is frozen by Global.freeze", text);
    if (fv_params_count(o->params) == 0) return FV_OK;
    return fv_config_fail(
        pattern, err, "no trained parameter matches \"%s\": \"fovea info MODEL\" lists them", text);
}

static fv_status read_group(group *out, const fv_optimizer *o, fv_config_node *map, fv_error *err)
{
    FV_TRY(fv_config_read(map, group_fields, out, err));
    if (count_patterns(out->params) == 0)
        return fv_config_fail(out->params, err, "must be a pattern of names or a list of them");
    for (int i = 0; i < count_patterns(out->params); i++)
        FV_TRY(check_pattern(o, pattern_at(out->params, i), err));
    return FV_OK;
}

static fv_status apply_group(fv_optimizer *o, fv_config_node *groups, int number, fv_error *err)
{
    group g;
    fv_config_node *map = fv_config_at(groups, number);
    if (fv_config_node_type(map) != FV_CONFIG_MAP)
        return fv_config_fail(map, err, "must be a map, e.g. {params: \"out.*\", lr_mult: 10}");
    FV_TRY(read_group(&g, o, map, err));
    for (int i = 0; i < o->subject_count; i++) {
        fv_subject *s = &o->subjects[i];
        if (!matches(g.params, s->param->name)) continue;
        fv_config_node *other = earlier_group(groups, number, s->param->name);
        if (other)
            return fv_config_fail(map, err, "%s is named by %s too", s->param->name,
                                  fv_config_node_where(other));
        s->rate = (float)g.lr_mult;
        s->decay *= (float)g.decay_mult;
    }
    return FV_OK;
}

fv_status fv_optimizer_apply_rules(fv_optimizer *o, fv_error *err)
{
    fv_config_node *groups = o->settings.param_groups;
    if (groups && fv_config_node_type(groups) != FV_CONFIG_LIST)
        return fv_config_fail(groups, err,
                              "must be a list, e.g. [{params: \"out.*\", lr_mult: 10}]");
    FV_TRY(exempt(o, err));
    for (int i = 0; i < fv_config_count(groups); i++) FV_TRY(apply_group(o, groups, i, err));
    return FV_OK;
}
