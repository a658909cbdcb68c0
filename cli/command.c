/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <string.h>

/* Adding a command: one file, one declaration in command.h, and one line here. */
/* clang-format off */
static const fv_command *const commands[] = {
    &fv_command_train,
    &fv_command_eval,
    &fv_command_predict,
    &fv_command_report,
    &fv_command_info,
    &fv_command_bench,
    &fv_command_synth,
    &fv_command_check_data,
    &fv_command_prepare_imagenet,
    &fv_command_show_batch,
    &fv_command_pack,
    &fv_command_convert,
    &fv_command_config,
    &fv_command_version,
    &fv_command_help,
};
/* clang-format on */

void fv_command_list(FILE *out)
{
    fprintf(out, "usage: fovea COMMAND [OPTIONS]\n\ncommands:\n");
    for (size_t i = 0; i < FV_ARRAY_LEN(commands); i++)
        fprintf(out, "  %-16s %s\n", commands[i]->name, commands[i]->help);
    fprintf(out, "\n\"fovea COMMAND --help\" explains one of them.\n");
}

fv_status fv_command_find(const char *name, const fv_command **out, fv_error *err)
{
    const char *names[FV_ARRAY_LEN(commands) + 1] = { NULL };
    for (size_t i = 0; i < FV_ARRAY_LEN(commands); i++) {
        names[i] = commands[i]->name;
        if (strcmp(name, names[i]) != 0) continue;
        *out = commands[i];
        return FV_OK;
    }
    const char *near = fv_config_nearest(name, names);
    if (near)
        return fv_fail(err, FV_ERR_CONFIG, "%s: unknown command, did you mean %s?", name, near);
    return fv_fail(err, FV_ERR_CONFIG, "%s: unknown command; \"fovea help\" lists them", name);
}

fv_status fv_command_model(const char *name, const fv_model **out, fv_error *err)
{
    *out = fv_model_find(name);
    if (*out) return FV_OK;
    const char *near = fv_model_nearest(name);
    if (near) return fv_fail(err, FV_ERR_CONFIG, "%s: unknown model, did you mean %s?", name, near);
    return fv_fail(err, FV_ERR_CONFIG, "%s: unknown model; \"fovea info\" lists them", name);
}
