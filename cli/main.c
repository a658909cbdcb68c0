/* SPDX-License-Identifier: Apache-2.0 */
/* fovea - trains and evaluates image classifiers.
 *
 * Exit status: 0 all that was asked was done, 1 failed, 2 wrong usage or configuration,
 * 130 and 143 stopped by SIGINT and SIGTERM. */
#include "base/cpu.h"
#include "base/log.h"
#include "base/threads.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/runtime.h"
#include "cli/text.h"

#include <string.h>

static void print_line(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx;
    fputs(level == FV_LOG_WARNING ? "warning: " : "", stderr);
    fv_text_print(stderr, line, fv_text_columns(line), false);
    fputc('\n', stderr);
}

static void print_error(const fv_command *command, const char *message)
{
    fprintf(stderr, "fovea%s%s: ", command ? " " : "", command ? command->name : "");
    fv_text_print(stderr, message, fv_text_columns(message), false);
    fputc('\n', stderr);
}

static int exit_status(fv_status status)
{
    switch (status) {
    case FV_OK: return 0;
    case FV_ERR_CONFIG: return 2;
    case FV_ERR_INTERRUPTED: return 128 + (int)*fv_interrupt_signal();
    default: return 1;
    }
}

static void start_threads(int requested)
{
    fv_threads_choice choice;
    fv_threads_choose(requested, &choice);
    fv_threads_set(choice.count);
    fprintf(stderr, "fovea %s on %s, %s, %d thread%s (%s)\n", FV_VERSION, fv_cpu_model(),
            fv_cpu_name(fv_cpu_detect()), choice.count, choice.count == 1 ? "" : "s",
            choice.reason);
}

/* argv: the program, the command, and what follows them. */
static fv_status run(const fv_command *command, int argc, char **argv, fv_error *err)
{
    fv_arguments arguments = { 0 };
    FV_TRY(fv_cpu_check(err));
    FV_TRY(fv_arguments_parse(&arguments, command, argc - 2, argv + 2, err));
    arguments.program = argv[0];
    fv_status status = FV_OK;
    if (arguments.help) {
        fv_options_help(stdout, command);
    } else {
        if (command->computes) start_threads(arguments.threads);
        status = command->run(&arguments, err);
    }
    fv_arguments_deinit(&arguments);
    /* A full disk shows only now if standard output is a file. */
    if (fflush(stdout) != 0 && status == FV_OK)
        status = fv_fail(err, FV_ERR_IO, "standard output: could not be written");
    return status;
}

int main(int argc, char **argv)
{
    fv_runtime_limit_spinning(argv);
    if (argc < 2) {
        fv_command_list(stderr);
        return 2;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0) name = "version";

    fv_log_sink(print_line, NULL);
    fv_error err = { .message = "" };
    const fv_command *command = NULL;
    fv_status status = fv_command_find(name, &command, &err);
    if (status == FV_OK) status = run(command, argc, argv, &err);
    if (status != FV_OK) print_error(command, err.message);
    return exit_status(status);
}
