/* SPDX-License-Identifier: Apache-2.0 */
/* fovea help [COMMAND]: the list of commands, or the help of one. */
#include "cli/command.h"

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    if (arguments->operand_count == 0) {
        fv_command_list(stdout);
        return FV_OK;
    }
    const fv_command *command;
    FV_TRY(fv_command_find(arguments->operands[0], &command, err));
    fv_options_help(stdout, command);
    return FV_OK;
}

const fv_command fv_command_help = {
    .name = "help",
    .help = "this list, or the options of a command",
    .usage = "[COMMAND]",
    .operands_max = 1,
    .run = run,
};
