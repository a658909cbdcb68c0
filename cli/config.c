/* SPDX-License-Identifier: Apache-2.0 */
/* fovea config: a configuration as it is understood, or what is wrong with it. */
#include "base/memory.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/retype.h"
#include "cli/text.h"
#include "train/settings.h"

/* As comments: all of the output is a configuration, and standard error has notices only. */
static void advise(const fv_settings *s, const fv_arguments *arguments)
{
    char command[FV_PROGRESS_LINE];
    fputs("# understood: no key is unknown, no value out of range\n", stdout);
    if (!s->train) return;
    fv_retype(command, sizeof(command), arguments, "show-batch", NULL, NULL);
    fputs("# next, what will the network see? ", stdout);
    fv_text_print(stdout, command, fv_text_columns(command), false);
    fputc('\n', stdout);
}

static fv_status print(fv_config *config, const fv_arguments *arguments, fv_error *err)
{
    fv_settings settings;
    FV_TRY(fv_settings_read(&settings, config, err));
    char *text = fv_config_dump(config);
    if (!text) return fv_fail(err, FV_ERR_NOMEM, "configuration: out of memory");
    fputs(text, stdout);
    fv_free(text);
    advise(&settings, arguments);
    return FV_OK;
}

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    fv_config *config;
    FV_TRY(fv_arguments_config(arguments, &config, err));
    const fv_status status = print(config, arguments, err);
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
