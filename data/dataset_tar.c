/* SPDX-License-Identifier: Apache-2.0 */
/* Tar archives in WebDataset's convention. Headers are read once, and the few bytes of each label;
 * then each picture is a place in a file. Archives are indexed side by side, each into a dataset of
 * its own, and put together in order. */
#include "base/compiler.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"
#include "data/dataset_impl.h"
#include "data/shards.h"
#include "data/tar.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MAX_CLS = 64, MAX_JSON = 1 << 20 /* bytes of a label's file */ };

/* One archive. */
typedef struct shard {
    const char *name, *path; /* relative to the root; with it */
    const fv_dataset_options *options;
    fv_tar *tar;
    fv_dataset part; /* its samples */
    size_t place_room;
    int64_t left_out; /* samples without a picture */
    fv_status status;
    fv_error error;
} shard;

/* What is known of the files that follow each other under one name. */
typedef struct group {
    char key[FV_DATASET_MAX_PATH];
    char picture[FV_DATASET_MAX_PATH]; /* its name; "": none yet */
    fv_place place;
    int label, json_label; /* -1: none yet */
} group;

/* ---- Labels ---- */

static fv_status read_label(const shard *s, const fv_tar_entry *e, const char *text, int *label,
                            fv_error *err)
{
    char path[2 * FV_DATASET_MAX_PATH];
    snprintf(path, sizeof(path), "%.200s/%.200s", s->path, e->name);
    const int classes = s->options->classes;
    return fv_dataset_read_number(&(fv_line){ path, 1 }, text, "label",
                                  classes ? classes : FV_DATASET_MAX_CLASSES, label, err);
}

static fv_status read_cls(const shard *s, const fv_tar_entry *e, int *label, fv_error *err)
{
    char text[MAX_CLS] = "";
    const size_t size = e->size < MAX_CLS ? (size_t)e->size : MAX_CLS - 1;
    FV_TRY(fv_tar_read(s->tar, e->offset, text, size, err));
    size_t length = strlen(text);
    while (length && strchr(" \t\r\n", text[length - 1])) text[--length] = '\0';
    return read_label(s, e, text, label, err);
}

/* A file without the member has no label. */
static fv_status read_json(const shard *s, const fv_tar_entry *e, int *label, fv_error *err)
{
    const char *key = s->options->label_key ? s->options->label_key : "label";
    if (e->size > MAX_JSON) {
        return fv_fail(err, FV_ERR_FORMAT, "%.200s/%.200s: more than %d bytes of JSON", s->path,
                       e->name, (int)MAX_JSON);
    }
    char *text = fv_alloc((size_t)e->size + 1);
    if (!text) return fv_fail(err, FV_ERR_NOMEM, "%.200s: out of memory", s->path);
    fv_status status = fv_tar_read(s->tar, e->offset, text, (size_t)e->size, err);
    json_error_t why = { .line = 0 };
    json_t *root = status == FV_OK ? json_loadb(text, (size_t)e->size, 0, &why) : NULL;
    fv_free(text);
    if (status == FV_OK && !root) {
        status = fv_fail(err, FV_ERR_FORMAT, "%.200s/%.200s:%d: not JSON: %.100s", s->path, e->name,
                         why.line, why.text);
    }
    const json_t *value = json_object_get(root, key);
    char number[MAX_CLS] = "something else";
    if (json_is_integer(value))
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
    if (json_is_string(value)) snprintf(number, sizeof(number), "%s", json_string_value(value));
    if (value) status = read_label(s, e, number, label, err);
    json_decref(root);
    return status;
}

/* ---- Samples ---- */

static fv_status add_sample(shard *s, group *g, fv_error *err)
{
    char name[2 * FV_DATASET_MAX_PATH];
    fv_dataset *part = &s->part;
    const int label = g->label >= 0 ? g->label : g->json_label;
    if (label < 0) {
        return fv_fail(err, FV_ERR_FORMAT,
                       "%.200s/%.200s: no label: a .cls, or a .json with \"%.40s\", must stand "
                       "beside it",
                       s->path, g->picture,
                       s->options->label_key ? s->options->label_key : "label");
    }
    snprintf(name, sizeof(name), "%s/%s", s->name, g->picture);
    if (strlen(name) >= FV_DATASET_MAX_PATH) {
        return fv_fail(err, FV_ERR_FORMAT, "%.200s/%.200s: the path is too long", s->path,
                       g->picture);
    }
    void *places = part->places;
    const size_t count = (size_t)part->count;
    const fv_status status =
        fv_dataset_grow(&places, sizeof(*part->places), count, count + 1, &s->place_room, err);
    part->places = places;
    if (status != FV_OK) return status;
    part->places[count] = g->place;
    return fv_dataset_add(part, name, label, err);
}

static fv_status end_group(shard *s, group *g, fv_error *err)
{
    if (*g->picture) FV_TRY(add_sample(s, g, err));
    if (*g->key && !*g->picture) s->left_out++;
    g->key[0] = g->picture[0] = '\0';
    g->label = g->json_label = -1;
    return FV_OK;
}

static fv_status take_picture(const shard *s, group *g, const fv_tar_entry *e, fv_error *err)
{
    if (*g->picture) {
        return fv_fail(err, FV_ERR_FORMAT, "%.200s: two pictures of one name: %.150s and %.150s",
                       s->path, g->picture, e->name);
    }
    snprintf(g->picture, sizeof(g->picture), "%s", e->name);
    g->place = (fv_place){ .offset = e->offset,
                           .bytes = e->size < UINT32_MAX ? (uint32_t)e->size : UINT32_MAX };
    return FV_OK;
}

/* Files without an extension and hidden ones (those of macOS begin with "._") belong to nothing. */
static fv_status take_file(shard *s, group *g, const fv_tar_entry *e, fv_error *err)
{
    const char *slash = strrchr(e->name, '/'), *base = slash ? slash + 1 : e->name;
    const char *dot = strchr(base, '.');
    if (!dot || dot == base) return FV_OK;
    const size_t length = (size_t)(dot - e->name);
    if (strncmp(g->key, e->name, length) != 0 || g->key[length]) {
        FV_TRY(end_group(s, g, err));
        memcpy(g->key, e->name, length);
        g->key[length] = '\0';
    }
    if (fv_dataset_is_picture(dot)) return take_picture(s, g, e, err);
    if (strcasecmp(dot, ".cls") == 0) return read_cls(s, e, &g->label, err);
    return strcasecmp(dot, ".json") == 0 ? read_json(s, e, &g->json_label, err) : FV_OK;
}

static fv_status read_entries(shard *s, group *g, fv_error *err)
{
    fv_tar_entry e;
    bool more;
    FV_TRY(fv_tar_open(&s->tar, s->path, err));
    for (;;) {
        FV_TRY(fv_tar_next(s->tar, &e, &more, err));
        if (!more) return end_group(s, g, err);
        if (e.kind == FV_TAR_FILE) FV_TRY(take_file(s, g, &e, err));
    }
}

/* ---- All archives ---- */

/* A block of just so many bytes; the larger one if there is no memory for a copy. */
static void *shrink(void *block, size_t bytes)
{
    void *exact = fv_alloc(bytes);
    if (!exact) return block;
    if (bytes) memcpy(exact, block, bytes);
    fv_free(block);
    return exact;
}

/* All archives wait in memory to be joined: without what growing has left unused. */
static void shrink_part(fv_dataset *part)
{
    const size_t count = (size_t)part->count;
    part->samples = shrink(part->samples, count * sizeof(*part->samples));
    part->places = shrink(part->places, count * sizeof(*part->places));
    part->text = shrink(part->text, part->text_bytes);
}

static void index_shard(void *ctx, int task, int worker)
{
    (void)worker;
    shard *s = (shard *)ctx + task;
    group *g = fv_alloc(sizeof(*g));
    if (g) {
        g->label = g->json_label = -1;
        s->status = read_entries(s, g, &s->error);
    } else {
        s->status = fv_fail(&s->error, FV_ERR_NOMEM, "dataset: out of memory");
    }
    fv_free(g);
    fv_tar_close(s->tar);
    s->tar = NULL;
    shrink_part(&s->part);
}

/* Moves its samples to the end of those of `d`. */
static fv_status take_shard(fv_dataset *d, shard *s, fv_error *err)
{
    const uint32_t container = (uint32_t)d->container_count;
    FV_TRY(fv_dataset_add_container(d, s->path, err));
    for (int64_t i = 0; i < s->part.count; i++) {
        d->places[d->count] = s->part.places[i];
        d->places[d->count].container = container;
        FV_TRY(fv_dataset_add(d, fv_dataset_name(&s->part, i), s->part.samples[i].label, err));
    }
    fv_dataset_deinit(&s->part);
    return FV_OK;
}

/* The exact sizes are known: growing would take half as much again. */
static fv_status reserve(fv_dataset *d, const shard *shards, int count, fv_error *err)
{
    size_t samples = 0, bytes = 0;
    for (int i = 0; i < count; i++) {
        samples += (size_t)shards[i].part.count;
        bytes += shards[i].part.text_bytes;
    }
    d->samples = fv_alloc(samples * sizeof(*d->samples));
    d->places = fv_alloc(samples * sizeof(*d->places));
    d->text = fv_alloc(bytes);
    if (!d->samples || !d->places || !d->text) {
        return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory for %zu pictures", samples);
    }
    d->room = samples;
    d->text_room = bytes;
    return FV_OK;
}

static fv_status join(fv_dataset *d, shard *shards, int count, fv_error *err)
{
    int64_t left_out = 0;
    for (int i = 0; i < count; i++) {
        if (shards[i].status == FV_OK) continue;
        if (err) *err = shards[i].error;
        return shards[i].status;
    }
    FV_TRY(reserve(d, shards, count, err));
    for (int i = 0; i < count; i++) {
        left_out += shards[i].left_out;
        FV_TRY(take_shard(d, &shards[i], err));
    }
    if (left_out) {
        fv_log(FV_LOG_WARNING, "%s: %lld samples without a .jpg, .jpeg or .png are left out",
               shards[0].path, (long long)left_out);
    }
    if (d->count) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT, "%.400s: no pictures (.jpg, .jpeg, .png) in %s",
                   shards[0].path, count == 1 ? "it" : "this and the others");
}

static fv_status name_shard(shard *s, const char *root, const char *name, fv_arena *memory,
                            fv_error *err)
{
    char path[FV_DATASET_MAX_PATH];
    if (!fv_path_join(path, sizeof(path), root, name))
        return fv_fail(err, FV_ERR_IO, "%.300s: the path is too long", name);
    s->name = name;
    s->path = fv_arena_join(memory, path, "", "");
    return s->path ? FV_OK : fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
}

static fv_status read_shards(fv_dataset *d, const fv_dataset_options *o, const fv_list *names,
                             fv_arena *memory, fv_error *err)
{
    shard *shards = fv_alloc((size_t)names->count * sizeof(*shards));
    if (!shards) {
        return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory for %d archives", names->count);
    }
    fv_status status = FV_OK;
    for (int i = 0; i < names->count && status == FV_OK; i++) {
        shards[i].options = o;
        status = name_shard(&shards[i], d->root, names->items[i], memory, err);
    }
    if (status == FV_OK) {
        fv_parallel_for(names->count, index_shard, shards);
        status = join(d, shards, names->count, err);
    }
    for (int i = 0; i < names->count; i++) fv_dataset_deinit(&shards[i].part);
    fv_free(shards);
    return status;
}

fv_status fv_dataset_read_shards(fv_dataset *d, const fv_dataset_options *o, fv_error *err)
{
    fv_arena memory;
    fv_list names = { .count = 0 };
    fv_arena_init(&memory);
    fv_status status = FV_OK;
    for (int i = 0; i < o->shard_count && status == FV_OK; i++)
        status = fv_shards_expand(&names, &memory, d->root, o->shards[i], err);
    if (status == FV_OK) status = read_shards(d, o, &names, &memory, err);
    fv_list_deinit(&names);
    fv_arena_deinit(&memory);
    return status;
}
