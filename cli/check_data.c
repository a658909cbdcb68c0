/* SPDX-License-Identifier: Apache-2.0 */
/* fovea check-data: what is wrong with a data set. */
#include "cli/check_data.h"

#include "base/clock.h"
#include "base/file.h"
#include "cli/bar.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "data/dataset_config.h"
#include "train/settings.h"

#include <string.h>

enum { MAX_CLASSES = 1 << 20 };

typedef struct check_options {
    const char *val, *root, *labels, *html, *allow;
    int classes;
} check_options;

/* clang-format off */
static const fv_option options[] = {
    { "val", FV_OPTION_TEXT, offsetof(check_options, val), .value = "DATA",
      .help = "the pictures to validate on" },
    { "root", FV_OPTION_TEXT, offsetof(check_options, root), .value = "DIR",
      .help = "folder that relative names of lists and tables start from" },
    { "classes", FV_OPTION_INT, offsetof(check_options, classes), 0, 1, MAX_CLASSES, .value = "N",
      .help = "labels must be below (default: Arch.class_num, else any will do)" },
    { "labels", FV_OPTION_TEXT, offsetof(check_options, labels), .value = "FILE",
      .help = "names of the classes, \"id name\" per line" },
    { "allow", FV_OPTION_TEXT, offsetof(check_options, allow), .value = "NAME,...",
      .help = "findings that shall not count as problems" },
    { "html", FV_OPTION_TEXT, offsetof(check_options, html), .value = "FILE",
      .help = "write a page with charts and thumbnails" },
    { .name = NULL },
};
/* clang-format on */

typedef struct job {
    const fv_arguments *arguments;
    const check_options *options;
    fv_config *config;
    fv_dataset_config keys[FV_TWINS_PARTS]; /* with -c */
    fv_dataset *datasets[FV_TWINS_PARTS];
    fv_arena memory;
    fv_check_options check;
    fv_check_report report;
} job;

/* ---- Words ---- */

const char *fv_check_part_name(int part) { return part ? "val" : "train"; }

const char *fv_check_report_class_name(const fv_check_report *report, int part, int label)
{
    const char *name = fv_check_class_name(&report->check, part, label);
    if (!name) name = fv_labels_name(&report->labels, label);
    return name ? name : "";
}

bool fv_check_is_problem(const fv_check_report *report, fv_check_kind kind)
{
    return fv_check_facts[kind].problem && !(report->allowed >> kind & 1);
}

int64_t fv_check_problems(const fv_check_report *report)
{
    int64_t problems = 0;
    for (int kind = 0; kind < FV_CHECK_KINDS; kind++)
        if (fv_check_is_problem(report, kind)) problems += report->check.found[kind];
    return problems;
}

/* ---- What to check ---- */

static fv_status read_allowed(job *j, fv_error *err)
{
    const char *keys[FV_CHECK_KINDS + 1] = { NULL }, *at = j->options->allow;
    for (int kind = 0; kind < FV_CHECK_KINDS; kind++) keys[kind] = fv_check_facts[kind].key;
    while (at && *at) {
        char word[64];
        const size_t length = strcspn(at, ",");
        snprintf(word, sizeof(word), "%.*s", (int)(length < 60 ? length : 60), at);
        int kind = 0;
        while (kind < FV_CHECK_KINDS && strcmp(word, keys[kind]) != 0) kind++;
        if (kind == FV_CHECK_KINDS) {
            const char *near = fv_config_nearest(word, keys);
            return fv_fail(err, FV_ERR_CONFIG, "--allow: %s: no such finding%s%s%s", word,
                           near ? ", did you mean " : "; --help lists them", near ? near : "",
                           near ? "?" : "");
        }
        j->report.allowed |= 1u << kind;
        at += length + (at[length] == ',');
    }
    return FV_OK;
}

/* Takes bad lines of lists down. What does not fit into memory is counted. */
static void take_line(void *ctx, const char *message)
{
    job *j = ctx;
    fv_check_lines *lines = &j->report.lines;
    lines->count++;
    if (lines->messages.count == FV_CENSUS_REASONS) return;
    char *copy = fv_arena_join(&j->memory, message, "", "");
    if (copy) fv_list_append(&lines->messages, copy);
}

/* All labels are wanted, so that those out of range can be told. */
static fv_status open_part(job *j, int part, const fv_dataset_options *where, fv_error *err)
{
    fv_dataset_options o = *where;
    o.classes = 0;
    o.bad_line = take_line;
    o.bad_line_ctx = j;
    FV_TRY(fv_dataset_open(&j->datasets[part], &o, err));
    j->check.parts[part] = j->datasets[part];
    return FV_OK;
}

static fv_status open_section(job *j, const fv_settings *settings, int part, fv_error *err)
{
    fv_config_node *map = part ? settings->eval : settings->train;
    j->report.sources[part] = part ? "DataLoader.Eval" : "DataLoader.Train";
    if (!map)
        return fv_fail(err, FV_ERR_CONFIG, "%s: missing: it says where the pictures are",
                       j->report.sources[part]);
    FV_TRY(fv_dataset_config_read(&j->keys[part], fv_config_child(map, "dataset"), part == 0, err));
    j->keys[part].options.unlabelled = part == 0 && !fv_loss_needs_labels(&settings->loss);
    return open_part(j, part, &j->keys[part].options, err);
}

static fv_status open_config(job *j, const char **names, fv_error *err)
{
    fv_settings settings;
    if (j->arguments->operand_count || j->options->val || j->options->root)
        return fv_fail(err, FV_ERR_CONFIG,
                       "-c: the configuration says where the pictures are: leave out %s",
                       j->arguments->operand_count ? j->arguments->operands[0]
                       : j->options->val           ? "--val"
                                                   : "--root");
    FV_TRY(fv_arguments_config(j->arguments, &j->config, err));
    FV_TRY(fv_settings_read(&settings, j->config, err));
    FV_TRY(open_section(j, &settings, 0, err));
    if (settings.eval) FV_TRY(open_section(j, &settings, 1, err));
    if (!j->check.classes) j->check.classes = settings.class_num;
    const char *map = settings.infer.class_id_map_file;
    if (!*names && map && fv_file_exists(map)) *names = map;
    return FV_OK;
}

static fv_status open_path(job *j, const char *const *path, int part, fv_error *err)
{
    fv_dataset_options o = { .image_root = j->options->root };
    fv_dataset_options_guess(&o, path);
    j->report.sources[part] = *path;
    return open_part(j, part, &o, err);
}

static fv_status open_all(job *j, fv_error *err)
{
    const char *names = j->options->labels;
    j->check.classes = j->options->classes;
    FV_TRY(read_allowed(j, err));
    if (j->arguments->config) {
        FV_TRY(open_config(j, &names, err));
    } else {
        if (!j->arguments->operand_count)
            return fv_fail(err, FV_ERR_CONFIG,
                           "which pictures? Name DATA, or a configuration with -c");
        FV_TRY(open_path(j, &j->arguments->operands[0], 0, err));
        if (j->options->val) FV_TRY(open_path(j, &j->options->val, 1, err));
    }
    if (!names) return FV_OK;
    return fv_labels_load(&j->report.labels, names, MAX_CLASSES, err);
}

/* ---- Checking ---- */

static void show(void *ctx, int64_t done, int64_t total) { fv_bar_show(ctx, done, total); }

static fv_status check(job *j, fv_error *err)
{
    fv_bar bar;
    const double start = fv_clock_seconds();
    fv_interrupt_install();
    fv_bar_begin(&bar, "reading");
    j->check.lines = &j->report.lines;
    j->check.progress = show;
    j->check.ctx = &bar;
    j->check.stop = fv_interrupt_signal();
    const fv_status status = fv_check_run(&j->report.check, &j->check, err);
    fv_bar_end(&bar);
    j->report.seconds = fv_clock_seconds() - start;
    return status;
}

/* Mostly the names are right, but start from elsewhere. */
static fv_status fail_all(const job *j, fv_error *err)
{
    const fv_check_report *r = &j->report;
    const bool missing = strncmp(fv_census_reason(&r->check.parts[0], 0), "cannot open", 11) == 0;
    const bool free_names = !j->arguments->config && !j->options->root;
    return fv_fail(err, FV_ERR_IO, "%s: no picture can be read%s", r->sources[0],
                   missing && free_names ? ": where do their names start from? --root DIR says it"
                                         : "");
}

static fv_status report(const job *j, fv_error *err)
{
    const fv_check_report *r = &j->report;
    FILE *out = fv_output(j->arguments);
    FV_TRY(fv_check_print(r, out, err));
    if (j->options->html) FV_TRY(fv_check_write_page(r, j->options->html, err));
    if (j->arguments->json) {
        struct json_t *json = NULL;
        FV_TRY(fv_check_to_json(r, &json, err));
        FV_TRY(fv_json_write(j->arguments, json, err));
    }
    const int64_t problems = fv_check_problems(r);
    if (j->options->html) fprintf(out, "\nThe page is %s.\n", j->options->html);
    if (!r->check.parts[0].readable) return fail_all(j, err);
    if (problems)
        return fv_fail(err, FV_ERR_FORMAT, "%lld problem%s%s", (long long)problems,
                       problems == 1 ? "" : "s",
                       j->options->html ? "" : "; --html FILE draws a page that shows them");
    fprintf(out, "\nNo problems: these pictures can be trained on.\n");
    return FV_OK;
}

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    job j = { .arguments = arguments, .options = arguments->options };
    fv_arena_init(&j.memory);
    fv_status status = open_all(&j, err);
    if (status == FV_OK) status = check(&j, err);
    if (status == FV_OK) status = report(&j, err);
    fv_check_deinit(&j.report.check);
    fv_labels_deinit(&j.report.labels);
    fv_list_deinit(&j.report.lines.messages);
    fv_arena_deinit(&j.memory);
    for (int part = 0; part < FV_TWINS_PARTS; part++) {
        fv_dataset_close(j.datasets[part]);
        fv_dataset_config_deinit(&j.keys[part]);
    }
    fv_config_destroy(j.config);
    return status;
}

const fv_command fv_command_check_data = {
    .name = "check-data",
    .help = "find what is wrong with a data set",
    .usage = "-c FILE | DATA [--val DATA] [OPTIONS]",
    .details = "Opens every picture of DataLoader.Train and DataLoader.Eval, or of DATA: a folder\n"
               "with a folder per class, a list (a name and a class number per line), a table\n"
               "(.csv), tar archives (\"train-{0000..0031}.tar\"), or a packed file (.h5). Prints\n"
               "counts, sizes, mean and deviation of the colours (over all pixels, each picture\n"
               "counting the same), and what it finds.\n"
               "\n"
               "Problems, which make the exit status 1: bad_lines (of a list), unreadable,\n"
               "labels_out_of_range, conflicting_labels (one picture, two labels), overlap (of\n"
               "val with train), duplicates, class_names_differ, classes_without_training,\n"
               "classes_missing_in_val, damaged (part of a JPEG is guessed). Pictures are the\n"
               "same if all their pixels are, whatever their files.\n"
               "\n"
               "Worth knowing, but no problems: wrong_extension, cmyk, exif_orientation,\n"
               "sixteen_bit, animated, alpha, grey, tiny (a side below 32 pixels),\n"
               "extreme_aspect (beyond 4 to 1), huge (above 50 million pixels).\n"
               "\n"
               "--json lists at most 10000 findings of a kind.",
    .options = options,
    .options_bytes = sizeof(check_options),
    .operands_max = 1,
    .takes_config = true,
    .computes = true,
    .run = run,
};
