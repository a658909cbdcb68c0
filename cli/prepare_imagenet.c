/* SPDX-License-Identifier: Apache-2.0 */
/* fovea prepare-imagenet DIR: lists of ImageNet's pictures. */
#include "cli/advice.h"
#include "cli/bar.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/text.h"
#include "data/imagenet.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

typedef struct prepare_options {
    const char *train, *val, *labels, *meta, *words, *out;
    bool extract, renumber, replace;
} prepare_options;

/* clang-format off */
static const fv_option options[] = {
    { "train", FV_OPTION_TEXT, offsetof(prepare_options, train), .value = "PATH",
      .help = "pictures to train on: a folder, an archive (.tar) or a list; else looked for in DIR" },
    { "val", FV_OPTION_TEXT, offsetof(prepare_options, val), .value = "PATH",
      .help = "pictures to validate on, likewise" },
    { "val-labels", FV_OPTION_TEXT, offsetof(prepare_options, labels), .value = "FILE",
      .help = "labels of a val folder without folders in it; else looked for in DIR" },
    { "meta", FV_OPTION_TEXT, offsetof(prepare_options, meta), .value = "FILE",
      .help = "the devkit's meta.mat or map_clsloc.txt; else looked for beside the labels" },
    { "words", FV_OPTION_TEXT, offsetof(prepare_options, words), .value = "FILE",
      .help = "words for the WNIDs, as in synset_words.txt; else looked for in DIR" },
    { "out", FV_OPTION_TEXT, offsetof(prepare_options, out), .value = "DIR",
      .help = "where the lists go; else DIR itself" },
    { "extract", FV_OPTION_FLAG, offsetof(prepare_options, extract),
      .help = "unpack archives; what is there with the right size is kept" },
    { "renumber", FV_OPTION_FLAG, offsetof(prepare_options, renumber),
      .help = "number the classes that are there from 0, not as ImageNet does" },
    { "replace", FV_OPTION_FLAG, offsetof(prepare_options, replace),
      .help = "replace lists that are there and say other things" },
    { .name = NULL },
};
/* clang-format on */

static const char *const part_names[FV_IMAGENET_PARTS] = { "train", "val" };

/* The bar of the step at hand. */
typedef struct progress {
    fv_bar bar;
    const char *step; /* NULL: none yet */
    int64_t done;
} progress;

static void show_progress(void *ctx, const char *what, int64_t done, int64_t total)
{
    progress *p = ctx;
    if (!p->step || strcmp(p->step, what) != 0 || done < p->done) {
        fv_bar_end(&p->bar);
        fv_bar_begin(&p->bar, what);
        p->step = what;
        p->done = -1;
    }
    if (done == p->done) return;
    p->done = done;
    fv_bar_show(&p->bar, done, total);
    if (done == total) fv_bar_end(&p->bar); /* warnings may follow */
}

static void print_table(FILE *out, const fv_imagenet_report *r)
{
    fprintf(out, "part   pictures  in ImageNet  classes  per class     from\n");
    for (int i = 0; i < FV_IMAGENET_PARTS; i++) {
        const fv_imagenet_part *p = &r->parts[i];
        char range[48];
        if (!p->found) {
            fprintf(out, "%-5s  none found\n", part_names[i]);
            continue;
        }
        snprintf(range, sizeof(range), "%" PRId64 " to %" PRId64, p->fewest, p->most);
        fprintf(out, "%-5s  %8" PRId64 "  %11" PRId64 "  %7d  %-12s  ", part_names[i], p->pictures,
                p->pictures_due, p->classes, range);
        fv_text_print(out, p->source, fv_text_columns(p->source), false);
        fputc('\n', out);
    }
}

static void print_file(FILE *out, const char *key, const char *path)
{
    fprintf(out, "%s", key);
    fv_text_print(out, path, fv_text_columns(path), false);
    fputc('\n', out);
}

static void print_result(FILE *out, const char *folder, const fv_imagenet_report *r)
{
    print_table(out, r);
    for (int i = 0; i < FV_IMAGENET_PARTS; i++)
        if (r->parts[i].unpacked)
            fprintf(out, "%s: %" PRId64 " files unpacked\n", part_names[i], r->parts[i].unpacked);
    fprintf(out, "%d classes, numbered %s; in a configuration:\n", r->classes,
            r->standard ? "as ImageNet does" : "in the order of their WNIDs");
    print_file(out, "  image_root: ", folder);
    for (int i = 0; i < FV_IMAGENET_PARTS; i++)
        if (r->parts[i].found) print_file(out, "  cls_label_path: ", r->parts[i].list);
    print_file(out, "  class_id_map_file: ", r->labels);
}

static json_t *part_json(const fv_imagenet_part *p)
{
    if (!p->found) return json_null();
    return json_pack("{s:o, s:I, s:I, s:i, s:i, s:I, s:I, s:I, s:o}", "list", fv_json_text(p->list),
                     "pictures", (json_int_t)p->pictures, "pictures_due",
                     (json_int_t)p->pictures_due, "classes", p->classes, "classes_due",
                     p->classes_due, "fewest_per_class", (json_int_t)p->fewest, "most_per_class",
                     (json_int_t)p->most, "unpacked", (json_int_t)p->unpacked, "source",
                     fv_json_text(p->source));
}

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    const prepare_options *o = arguments->options;
    const char *folder = arguments->operands[0];
    progress shown = { .step = NULL };
    const fv_imagenet_options prepare = { .folder = folder,
                                          .out = o->out,
                                          .parts = { o->train, o->val },
                                          .labels = o->labels,
                                          .meta = o->meta,
                                          .words = o->words,
                                          .extract = o->extract,
                                          .renumber = o->renumber,
                                          .replace = o->replace,
                                          .progress = show_progress,
                                          .ctx = &shown,
                                          .stop = fv_interrupt_signal() };
    fv_imagenet_report report;
    fv_interrupt_install();
    const fv_status status = fv_imagenet_prepare(&report, &prepare, err);
    fv_bar_end(&shown.bar);
    if (status != FV_OK) return status;
    print_result(fv_output(arguments), folder, &report);
    fv_advise(
        "next: put these lines into one of configs/, then \"%s check-data -c CONFIG\" and \"%s "
        "train -c CONFIG\"",
        arguments->program, arguments->program);
    json_t *json = json_pack("{s:o, s:o, s:o, s:i, s:b, s:o}", "folder", fv_json_text(folder),
                             "train", part_json(&report.parts[FV_IMAGENET_TRAIN]), "val",
                             part_json(&report.parts[FV_IMAGENET_VAL]), "classes", report.classes,
                             "standard", report.standard, "labels", fv_json_text(report.labels));
    return fv_json_write(arguments, json, err);
}

const fv_command fv_command_prepare_imagenet = {
    .name = "prepare-imagenet",
    .help = "lists of ImageNet's pictures, from whatever form it lies in",
    .usage = "DIR [OPTIONS]",
    .details = "Looks in DIR for train and val: folders by WNID (n01440764), one flat folder\n"
               "for val with the devkit's ground truth and meta.mat or another file of labels,\n"
               "folders 0 to 999 (ImageNetV2), lists, or the archives, which --extract unpacks.\n"
               "Writes train_list.txt, val_list.txt and labels.txt with ImageNet's numbers of the\n"
               "classes, 0 to 999 in the order of the WNIDs. What differs from the whole set, in\n"
               "pictures or classes, is a warning.",
    .options = options,
    .options_bytes = sizeof(prepare_options),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
