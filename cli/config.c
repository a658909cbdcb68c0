/* SPDX-License-Identifier: Apache-2.0 */
/* fovea config: a configuration as it is understood, or what is wrong with it. */
#include "base/memory.h"
#include "cli/command.h"
#include "train/settings.h"

static fv_status print(fv_config *config, fv_error *err)
{
    fv_settings settings;
    FV_TRY(fv_settings_read(&settings, config, err));
    char *text = fv_config_dump(config);
    if (!text) return fv_fail(err, FV_ERR_NOMEM, "configuration: out of memory");
    fputs(text, stdout);
    fv_free(text);
    return FV_OK;
}

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    fv_config *config;
    FV_TRY(fv_arguments_config(arguments, &config, err));
    const fv_status status = print(config, err);
    fv_config_destroy(config);
    return status;
}

const fv_command fv_command_config = {
    .name = "config",
    .help = "check a configuration and print it, overrides applied",
    .usage = "-c FILE [-o Key.Sub=value]...",
    .takes_config = true,
    .run = run,
};
