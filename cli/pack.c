/* SPDX-License-Identifier: Apache-2.0 */
/* fovea pack: all pictures of a data set in one file. */
#include "data/packed.h"

#include "base/clock.h"
#include "cli/advice.h"
#include "cli/bar.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/text.h"
#include "data/dataset_config.h"
#include "train/settings.h"

#include <jansson.h>

typedef struct pack_options {
    const char *root, *label_list;
    int short_side, quality;
    bool eval;
} pack_options;

/* clang-format off */
static const fv_option options[] = {
    { "root", FV_OPTION_TEXT, offsetof(pack_options, root), .value = "DIR",
      .help = "folder that the names in PATH start from" },
    { "label-list", FV_OPTION_TEXT, offsetof(pack_options, label_list), .value = "FILE",
      .help = "names of the classes, \"id name\" per line, to be packed too" },
    { "short-side", FV_OPTION_INT, offsetof(pack_options, short_side), 0, 16, 16384, .value = "N",
      .help = "shrink larger pictures to it, pixels (default: files as they are)" },
    { "quality", FV_OPTION_INT, offsetof(pack_options, quality), 92, 1, 100, .value = "Q",
      .help = "of the JPEGs that shrinking makes" },
    { "eval", FV_OPTION_FLAG, offsetof(pack_options, eval),
      .help = "pack DataLoader.Eval of -c instead of DataLoader.Train" },
    { .name = NULL },
};
/* clang-format on */

static void show(void *ctx, int64_t done, int64_t total) { fv_bar_show(ctx, done, total); }

static fv_status report(const fv_arguments *arguments, const fv_dataset *dataset,
                        const fv_pack_result *r, double seconds, fv_error *err)
{
    const char *path = arguments->operands[0];
    const int64_t total = fv_dataset_count(dataset);
    FILE *out = fv_output(arguments);
    fprintf(out, "%s: %lld pictures of %d classes, %.1f MB", path, (long long)r->pictures,
            fv_dataset_classes(dataset), (double)r->bytes_written / 1e6);
    if (r->shrunk)
        fprintf(out, "; %lld shrunk, %.1f MB before", (long long)r->shrunk,
                (double)r->bytes_read / 1e6);
    fprintf(out, "; %.1f s\n", seconds);
    FV_TRY(fv_json_write(arguments,
                         json_pack("{s:o, s:I, s:i, s:I, s:I, s:I, s:I, s:f}", "file",
                                   fv_json_text(path), "pictures", (json_int_t)r->pictures,
                                   "classes", fv_dataset_classes(dataset), "shrunk",
                                   (json_int_t)r->shrunk, "unreadable", (json_int_t)r->unreadable,
                                   "bytes_read", (json_int_t)r->bytes_read, "bytes_written",
                                   (json_int_t)r->bytes_written, "seconds", seconds),
                         err));
    if (!r->unreadable) {
        fv_advise("next: \"%s check-data %s\" looks at it; a configuration reads it as \"dataset: "
                  "{name: PackedDataset, file: %s}\"",
                  arguments->program, path, path);
        return FV_OK;
    }
    return fv_fail(err, FV_ERR_IO, "%s: %lld of %lld pictures could not be read and are not in it",
                   path, (long long)r->unreadable, (long long)total);
}

static fv_status pack(const fv_arguments *arguments, const fv_dataset_options *source,
                      fv_error *err)
{
    const pack_options *o = arguments->options;
    fv_dataset *dataset = NULL;
    fv_pack_result result;
    fv_bar bar;
    FV_TRY(fv_dataset_open(&dataset, source, err));
    const fv_pack_options how = { .short_side = o->short_side,
                                  .quality = o->quality,
                                  .progress = show,
                                  .ctx = &bar,
                                  .stop = fv_interrupt_signal() };
    const double start = fv_clock_seconds();
    fv_interrupt_install();
    fv_bar_begin(&bar, "packing");
    fv_status status = fv_pack(dataset, arguments->operands[0], &how, &result, err);
    fv_bar_end(&bar);
    if (status == FV_OK)
        status = report(arguments, dataset, &result, fv_clock_seconds() - start, err);
    fv_dataset_close(dataset);
    return status;
}

static fv_status pack_section(const fv_arguments *arguments, fv_config *config, fv_error *err)
{
    const pack_options *o = arguments->options;
    fv_settings settings;
    FV_TRY(fv_settings_read(&settings, config, err));
    fv_config_node *map = o->eval ? settings.eval : settings.train;
    if (!map)
        return fv_fail(err, FV_ERR_CONFIG, "DataLoader.%s: missing: it says where the pictures are",
                       o->eval ? "Eval" : "Train");
    fv_dataset_config keys;
    FV_TRY(fv_dataset_config_read(&keys, fv_config_child(map, "dataset"), !o->eval, err));
    keys.options.classes = settings.class_num;
    if (o->label_list) keys.options.label_list = o->label_list;
    const fv_status status = pack(arguments, &keys.options, err);
    fv_dataset_config_deinit(&keys);
    return status;
}

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    const pack_options *o = arguments->options;
    const bool named = arguments->operand_count > 1;
    if (named == (arguments->config != NULL))
        return fv_fail(err, FV_ERR_CONFIG, "which pictures? Name PATH, or a configuration with -c");
    if (named) {
        if (o->eval) return fv_fail(err, FV_ERR_CONFIG, "--eval: is of a configuration: -c");
        fv_dataset_options source = { .image_root = o->root, .label_list = o->label_list };
        fv_dataset_options_guess(&source, &arguments->operands[1]);
        return pack(arguments, &source, err);
    }
    if (o->root) return fv_fail(err, FV_ERR_CONFIG, "--root: the configuration has image_root");
    fv_config *config;
    FV_TRY(fv_arguments_config(arguments, &config, err));
    const fv_status status = pack_section(arguments, config, err);
    fv_config_destroy(config);
    return status;
}

const fv_command fv_command_pack = {
    .name = "pack",
    .help = "all pictures of a data set in one file",
    .usage = "OUT.h5 PATH [OPTIONS]",
    .details =
        "Writes what a PackedDataset reads: one file, from which every picture is one read,\n"
        "for network disks and for many small files. PATH is a folder with a folder per\n"
        "class, a list (a name and a class number per line), a table (.csv), tar archives\n"
        "(\"train-{0000..0031}.tar\"), or a packed file (.h5). With -c FILE instead of PATH\n"
        "it is DataLoader.Train.dataset, its split included.\n"
        "\n"
        "Labels and names of classes are packed too. Files are taken as they are, or, with\n"
        "--short-side, turned upright as EXIF data say, shrunk, and written as JPEG; those\n"
        "that are small enough stay as they are. Every picture is decoded first: one that\n"
        "cannot be read is named and left out, and the exit status is 1 then. OUT appears\n"
        "when it is complete.",
    .options = options,
    .options_bytes = sizeof(pack_options),
    .operands_min = 1,
    .operands_max = 2,
    .takes_config = true,
    .computes = true,
    .run = run,
};
