/* SPDX-License-Identifier: Apache-2.0 */
/* fovea report: a page about a training run, or about several. */
#include "cli/report.h"

#include "base/file.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/text.h"

#include <jansson.h>
#include <string.h>

typedef struct report_options {
    const char *out;
} report_options;

/* clang-format off */
static const fv_option options[] = {
    { "out", FV_OPTION_TEXT, offsetof(report_options, out), .value = "FILE",
      .help = "the page; else report.html in the folder of the run, or comparison.html here" },
    { .name = NULL },
};
/* clang-format on */

static json_t *describe(const fv_run *run)
{
    const char *model = fv_run_text(run, "model");
    json_t *json = json_pack("{s:o, s:I}", "folder", fv_json_text(run->folder), "epoch",
                             (json_int_t)(run->last ? run->last->epoch : 0));
    if (json && model) json_object_set_new(json, "model", fv_json_text(model));
    if (json && run->best) {
        json_object_set_new(json, "best_top1", json_real(run->best->top1));
        json_object_set_new(json, "best_epoch", json_integer((json_int_t)run->best->epoch));
    }
    return json;
}

static fv_status tell(const fv_arguments *arguments, const fv_run *runs, int count,
                      const char *path, fv_error *err)
{
    FILE *out = fv_output(arguments);
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        const fv_run *run = &runs[i];
        if (run->best)
            fprintf(out, "%s: best Top1 %.2f %% after epoch %lld\n", run->folder,
                    100.0 * run->best->top1, (long long)run->best->epoch);
        else
            fprintf(out, "%s: nothing evaluated yet\n", run->folder);
        json_array_append_new(list, describe(run));
    }
    fprintf(out, "the page is %s: open it in a browser\n", path);
    return fv_json_write(arguments,
                         json_pack("{s:o, s:o}", "out", fv_json_text(path), "runs", list), err);
}

static fv_status choose_path(char *path, size_t size, const fv_arguments *arguments, fv_error *err)
{
    const report_options *o = arguments->options;
    const bool one = arguments->operand_count == 1;
    const char *name = o->out ? o->out : one ? "report.html" : "comparison.html";
    if (fv_path_join(path, size, one && !o->out ? arguments->operands[0] : "", name)) return FV_OK;
    return fv_fail(err, FV_ERR_CONFIG, "%.80s...: the path is too long", name);
}

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    char path[4096];
    const int count = arguments->operand_count;
    FV_TRY(choose_path(path, sizeof(path), arguments, err));
    fv_run *runs = fv_alloc((size_t)count * sizeof(*runs));
    if (!runs) return fv_fail(err, FV_ERR_NOMEM, "report: out of memory");
    fv_status status = FV_OK;
    for (int i = 0; i < count && status == FV_OK; i++)
        status = fv_run_load(&runs[i], arguments->operands[i], err);
    if (status == FV_OK)
        status = count == 1 ? fv_report_write_run(path, runs, err)
                            : fv_report_write_comparison(path, runs, count, err);
    if (status == FV_OK) status = tell(arguments, runs, count, path, err);
    for (int i = 0; i < count; i++) fv_run_deinit(&runs[i]);
    fv_free(runs);
    return status;
}

const fv_command fv_command_report = {
    .name = "report",
    .help = "a page about a training run, or one that compares several",
    .usage = "RUN_DIR... [--out FILE]",
    .details =
        "RUN_DIR is the Global.output_dir of a run, finished or not. The page of one run has\n"
        "its curves, worst mistakes, confusion matrix, accuracy per class, configuration\n"
        "and machine; train writes it too. That of several has a table, their curves and\n"
        "what differs in their configurations. A page refers to nothing outside itself.",
    .options = options,
    .options_bytes = sizeof(report_options),
    .operands_min = 1,
    .operands_max = 64,
    .run = run,
};
