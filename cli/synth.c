/* SPDX-License-Identifier: Apache-2.0 */
/* fovea synth DIR: a data set of drawn pictures. */
#include "data/synth.h"

#include "base/clock.h"
#include "cli/advice.h"
#include "cli/bar.h"
#include "cli/command.h"

#include <jansson.h>

typedef struct synth_options {
    int classes, train, val;
    int64_t seed;
} synth_options;

/* clang-format off */
static const fv_option options[] = {
    { "classes", FV_OPTION_INT, offsetof(synth_options, classes), 10, 2, FV_SYNTH_MAX_CLASSES, .value = "N",
      .help = "how many classes" },
    { "train", FV_OPTION_INT, offsetof(synth_options, train), 2000, 1, FV_SYNTH_MAX_PICTURES, .value = "N",
      .help = "pictures to train on" },
    { "val", FV_OPTION_INT, offsetof(synth_options, val), 500, 1, FV_SYNTH_MAX_PICTURES, .value = "N",
      .help = "pictures to validate on" },
    { "seed", FV_OPTION_LONG, offsetof(synth_options, seed), 1, 0, 9e15, .value = "N",
      .help = "another seed, other pictures" },
    { .name = NULL },
};
/* clang-format on */

static void show(void *ctx, int done, int total) { fv_bar_show(ctx, done, total); }

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    const synth_options *o = arguments->options;
    const char *folder = arguments->operands[0];
    const fv_synth_options synth = { o->classes, o->train, o->val, (uint64_t)o->seed };
    fv_bar bar;
    const double start = fv_clock_seconds();
    int drawn = 0;
    fv_bar_begin(&bar, "drawing");
    const fv_status status = fv_synth_render(folder, &synth, show, &bar, &drawn, err);
    fv_bar_end(&bar);
    if (status != FV_OK) return status;
    const double seconds = fv_clock_seconds() - start;
    FILE *out = fv_output(arguments);
    if (drawn == 0)
        fprintf(out, "%s: complete already, nothing to draw\n", folder);
    else
        fprintf(out,
                "%s: %d pictures to train on and %d to validate on, of %d classes; %d drawn in "
                "%.1f s\n",
                folder, o->train, o->val, o->classes, drawn, seconds);
    fv_advise("next: \"%s check-data %s/train_list.txt --root %s\" looks at them; "
              "configs/quickstart/MobileNetV2_x0_25_synth.yaml shows how to train on them",
              arguments->program, folder, folder);
    return fv_json_write(arguments,
                         json_pack("{s:i, s:i, s:i, s:i, s:f}", "classes", o->classes, "train",
                                   o->train, "val", o->val, "drawn", drawn, "seconds", seconds),
                         err);
}

const fv_command fv_command_synth = {
    .name = "synth",
    .help = "draw a data set of shapes and textures",
    .usage = "DIR [OPTIONS]",
    .details = "Writes JPEG pictures into DIR/train and DIR/val, and beside them train_list.txt,\n"
               "val_list.txt and label_list.txt. A picture depends on its seed, part and number\n"
               "only. Given the same options again it draws what is missing.",
    .options = options,
    .options_bytes = sizeof(synth_options),
    .operands_min = 1,
    .operands_max = 1,
    .computes = true,
    .run = run,
};
