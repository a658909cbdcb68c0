/* SPDX-License-Identifier: Apache-2.0 */
/* fovea version: what this program and this machine are. */
#include "base/cpu.h"
#include "cli/command.h"

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    (void)arguments;
    (void)err;
    printf("fovea %s (%s, %s)\n", FV_VERSION, fv_cpu_model(), fv_cpu_name(fv_cpu_detect()));
    return FV_OK;
}

const fv_command fv_command_version = {
    .name = "version",
    .help = "version of the program, processor and instruction set",
    .usage = "",
    .run = run,
};
