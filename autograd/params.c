/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/params.h"

#include "base/list.h"
#include "base/memory.h"
#include "base/random.h"

#include <fnmatch.h>
#include <string.h>

struct fv_params {
    fv_arena arena; /* of fv_param and their names */
    fv_list list;   /* of fv_param, in order of creation */
    uint64_t seed, version;
};

static const struct {
    const char *name;
    bool trained;
} roles[] = {
#define X(role, name, trained) [role] = { name, trained },
    FV_ROLE_LIST(X)
#undef X
};

const char *fv_role_name(fv_role role) { return roles[role].name; }

fv_status fv_params_create(fv_params **out, uint64_t seed, fv_error *err)
{
    fv_params *p = fv_alloc(sizeof(*p));
    if (!p) return fv_fail(err, FV_ERR_NOMEM, "parameters: out of memory");
    fv_arena_init(&p->arena);
    p->seed = seed;
    p->version = 1;
    *out = p;
    return FV_OK;
}

void fv_params_destroy(fv_params *params)
{
    if (!params) return;
    for (int i = 0; i < params->list.count; i++) {
        fv_param *p = params->list.items[i];
        fv_free(p->value);
        fv_free(p->grad);
    }
    fv_list_deinit(&params->list);
    fv_arena_deinit(&params->arena);
    fv_free(params);
}

void fv_params_reset(fv_params *params, fv_param *param)
{
    fv_random r = fv_random_stream(params->seed, FV_RANDOM_INIT, 0, fv_random_hash(param->name));
    const float a = param->init.a;
    for (size_t i = 0; i < param->count; i++) {
        switch (param->init.kind) {
        case FV_INIT_CONSTANT: param->value[i] = a; break;
        case FV_INIT_NORMAL: param->value[i] = a * fv_random_normal(&r); break;
        case FV_INIT_UNIFORM: param->value[i] = fv_random_uniform(&r, -a, a); break;
        }
    }
    params->version++;
}

static fv_param *create(fv_params *params, const char *name, fv_role role, int rank,
                        const int *dims)
{
    fv_param *p = fv_arena_alloc(&params->arena, sizeof(*p));
    if (!p) return NULL;
    *p = (fv_param){ .role = role, .rank = rank, .trained = roles[role].trained, .count = 1 };
    for (int i = 0; i < 4; i++) {
        p->dims[i] = i < rank ? dims[i] : 1;
        p->count *= (size_t)p->dims[i];
    }
    p->name = fv_arena_join(&params->arena, "", "", name);
    p->value = fv_alloc(p->count * sizeof(float));
    p->grad = p->trained ? fv_alloc(p->count * sizeof(float)) : NULL;
    if (p->name && p->value && (p->grad || !p->trained) && fv_list_append(&params->list, p))
        return p;
    fv_free(p->value);
    fv_free(p->grad);
    return NULL;
}

fv_status fv_params_get(fv_params *params, const char *name, fv_role role, int rank,
                        const int *dims, fv_init init, fv_param **out, fv_error *err)
{
    fv_param *p = fv_params_find(params, name);
    if (p) {
        bool same = p->rank == rank && p->role == role;
        for (int i = 0; same && i < rank; i++) same = p->dims[i] == dims[i];
        if (!same)
            return fv_fail(err, FV_ERR_SHAPE, "%s: exists already with another shape or role",
                           name);
        *out = p;
        return FV_OK;
    }
    p = create(params, name, role, rank, dims);
    if (!p) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", name);
    p->init = init;
    fv_params_reset(params, p);
    *out = p;
    return FV_OK;
}

int fv_params_count(const fv_params *params) { return params->list.count; }
fv_param *fv_params_at(const fv_params *params, int i) { return params->list.items[i]; }

fv_param *fv_params_find(const fv_params *params, const char *name)
{
    for (int i = 0; i < params->list.count; i++) {
        fv_param *p = params->list.items[i];
        if (strcmp(p->name, name) == 0) return p;
    }
    return NULL;
}

size_t fv_params_trained_floats(const fv_params *params)
{
    size_t floats = 0;
    for (int i = 0; i < params->list.count; i++) {
        const fv_param *p = params->list.items[i];
        if (p->trained) floats += p->count;
    }
    return floats;
}

int fv_params_freeze(fv_params *params, const char *pattern, bool statistics, bool frozen)
{
    int matches = 0;
    for (int i = 0; i < params->list.count; i++) {
        fv_param *p = params->list.items[i];
        if (!p->trained && !statistics) continue;
        if (fnmatch(pattern, p->name, 0) != 0) continue;
        p->frozen = frozen;
        matches++;
    }
    return matches;
}

void fv_params_touch(fv_params *params) { params->version++; }
uint64_t fv_params_version(const fv_params *params) { return params->version; }
