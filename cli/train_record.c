/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/train_record.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/retype.h"
#include "cli/text.h"
#include "kernels/blas.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

static const double PAGE_SECONDS = 60.0; /* between two pages while training */

/* ---- What a run is ---- */

static void set_text(json_t *json, const char *key, const char *text)
{
    json_object_set_new(json, key, fv_json_text(text));
}

static void describe_machine(json_t *json, int threads)
{
    char text[512];
    struct utsname system;
    fv_threads_choice choice;
    fv_threads_choose(threads, &choice);
    set_text(json, "processor", fv_cpu_model());
    set_text(json, "kernels", fv_cpu_name(fv_cpu_detect()));
    snprintf(text, sizeof(text), "%d (%s)", choice.count, choice.reason);
    set_text(json, "threads", text);
    const double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    snprintf(text, sizeof(text), "%.1f GB", memory / 1e9);
    set_text(json, "memory", text);
    if (uname(&system) != 0) return;
    snprintf(text, sizeof(text), "%s %s, %s", system.sysname, system.release, system.machine);
    set_text(json, "system", text);
    set_text(json, "host", system.nodename);
}

static void describe_program(json_t *json, const fv_arguments *arguments)
{
    char text[FV_PROGRESS_LINE];
    struct tm now;
    const time_t seconds = time(NULL);
    set_text(json, "fovea", FV_VERSION);
    set_text(json, "compiler", COMPILER);
    set_text(json, "blas", fv_blas_core());
    fv_retype(text, sizeof(text), arguments, "train", NULL, NULL);
    set_text(json, "command", text);
    if (!localtime_r(&seconds, &now)) return;
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %Z", &now);
    set_text(json, "started", text);
}

/* Where the pictures to evaluate are, so that a report finds them from any folder. */
static void describe_root(json_t *json, const fv_train_facts *f)
{
    char root[4096];
    fv_config_node *dataset =
        f->settings->eval ? fv_config_child(f->settings->eval, "dataset") : NULL;
    const char *given =
        dataset ? fv_config_node_text(fv_config_child(dataset, "image_root")) : NULL;
    if (given && realpath(given[0] ? given : ".", root)) set_text(json, "image_root", root);
}

static json_t *split_names(const char *names)
{
    json_t *list = json_array();
    while (names && *names) {
        const size_t length = strcspn(names, "\n");
        char *name = fv_alloc(length + 1);
        if (!name) break;
        memcpy(name, names, length);
        const bool added = json_array_append_new(list, fv_json_text(name)) == 0;
        fv_free(name);
        if (!added) break; /* the names of the others would be wrong */
        names += length + (names[length] == '\n');
    }
    return list;
}

static json_t *describe(const fv_train_facts *f)
{
    json_t *json = json_object();
    if (!json) return NULL;
    set_text(json, "model", f->settings->arch.model->name);
    json_object_set_new(
        json, "parameters",
        json_integer((json_int_t)fv_params_trained_floats(fv_trainer_params(f->trainer))));
    json_object_set_new(json, "epochs", json_integer(f->settings->global.epochs));
    json_object_set_new(json, "classes", json_integer(f->classes));
    json_object_set_new(json, "train_pictures",
                        json_integer((json_int_t)fv_dataset_count(f->train->dataset)));
    if (f->eval->dataset)
        json_object_set_new(json, "eval_pictures",
                            json_integer((json_int_t)fv_dataset_count(f->eval->dataset)));
    describe_root(json, f);
    describe_program(json, f->arguments);
    describe_machine(json, f->arguments->threads);
    if (f->class_names) json_object_set_new(json, "class_names", split_names(f->class_names));
    return json;
}

/* ---- Files ---- */

static void tell(fv_status status, const fv_error *err)
{
    if (status != FV_OK) fv_log(FV_LOG_WARNING, "for the report: %s", err->message);
}

static void write_about(const fv_train_record *r, const fv_train_facts *f)
{
    fv_error err;
    json_t *json = describe(f);
    char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
    json_decref(json);
    tell(text ? fv_run_write(r->folder, "run.json", text, &err)
              : fv_fail(&err, FV_ERR_NOMEM, "run.json: out of memory"),
         &err);
    free(text);
}

static void write_config(const fv_train_record *r, const fv_train_facts *f)
{
    fv_error err;
    char *text = fv_config_dump(f->settings->config);
    tell(text ? fv_run_write(r->folder, "config.yaml", text, &err)
              : fv_fail(&err, FV_ERR_NOMEM, "config.yaml: out of memory"),
         &err);
    fv_free(text);
}

static void remove_file(const char *folder, const char *name)
{
    char path[4096];
    if (fv_path_join(path, sizeof(path), folder, name)) unlink(path);
}

void fv_train_record_begin(fv_train_record *r, const fv_train_facts *f)
{
    r->folder = f->settings->global.output_dir;
    r->dataset = f->eval->dataset;
    r->written = fv_clock_seconds();
    if (!f->settings->global.checkpoints) {
        remove_file(r->folder, "report.html");
        remove_file(r->folder, "answers.tsv");
    }
    write_about(r, f);
    write_config(r, f);
}

void fv_train_record_deinit(fv_train_record *r)
{
    for (int i = 0; i < 2; i++) fv_answers_deinit(&r->answers[i]);
    *r = (fv_train_record){ 0 };
}

/* ---- On the way ---- */

void fv_train_record_answer(void *ctx, const fv_answer *answer)
{
    fv_train_record *r = ctx;
    fv_answers_add(&r->answers[r->averaged], fv_dataset_name(r->dataset, answer->sample), answer);
}

static fv_status write_page(const fv_train_record *r, char *path, size_t size, fv_error *err)
{
    fv_run run;
    if (!fv_path_join(path, size, r->folder, "report.html"))
        return fv_fail(err, FV_ERR_IO, "%.80s...: the path is too long", r->folder);
    FV_TRY(fv_run_load(&run, r->folder, err));
    const fv_status status = fv_report_write_run(path, &run, err);
    fv_run_deinit(&run);
    return status;
}

static void take_score(fv_train_record *r, const fv_train_event *event)
{
    fv_error err;
    char path[4096];
    if (event->best && fv_path_join(path, sizeof(path), r->folder, "answers.tsv"))
        tell(fv_answers_save(&r->answers[event->averaged], path, &err), &err);
    if (fv_clock_seconds() - r->written < PAGE_SECONDS) return;
    tell(write_page(r, path, sizeof(path), &err), &err);
    r->written = fv_clock_seconds();
}

void fv_train_record_event(fv_train_record *r, const fv_train_event *event)
{
    if (event->kind == FV_TRAIN_EVALUATE) {
        r->averaged = event->averaged;
        fv_answers_clear(&r->answers[r->averaged]);
    } else if (event->kind == FV_TRAIN_EVALUATED) {
        take_score(r, event);
    }
}

void fv_train_record_end(fv_train_record *r, char *path, size_t size)
{
    fv_error err;
    const fv_status status = write_page(r, path, size, &err);
    tell(status, &err);
    if (status != FV_OK) path[0] = '\0';
}
