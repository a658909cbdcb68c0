/* SPDX-License-Identifier: Apache-2.0 */
/* cli/command.h - what a command of `fovea` is.
 *
 * A command is one file that defines an fv_command, one declaration at the end of this header
 * and one line in the table of command.c. Only commands print: results on standard output, what
 * is told on the way on standard error. Failures are returned, and main() prints them.
 */
#ifndef FV_CLI_COMMAND_H
#define FV_CLI_COMMAND_H

#include "cli/options.h"
#include "models/model.h"

#define FV_VERSION "0.1.0"

/* Does what was asked. FV_OK ends the program with 0, FV_ERR_CONFIG with 2, FV_ERR_INTERRUPTED
 * with 128 plus the signal (cli/interrupt.h), everything else with 1; in all but the first
 * case main() prints the message. What was done only in part (pictures that could not be
 * read) is a failure too, returned after the results are written. */
typedef fv_status fv_command_fn(const fv_arguments *arguments, fv_error *err);

typedef struct fv_command {
    const char *name;
    const char *help;         /* one line for the list of commands, lower case, no full stop */
    const char *usage;        /* operands and options in short: "MODEL [OPTIONS]" */
    const char *details;      /* paragraphs for --help, lines of at most 80 columns; or NULL */
    const fv_option *options; /* NULL: none of its own */
    size_t options_bytes;     /* sizeof the struct that the table fills */
    int operands_min, operands_max;
    bool takes_config; /* -c and -o */
    bool computes;     /* threads are started and the start-up line is printed */
    fv_command_fn *run;
} fv_command;

/* A command by its name; FV_ERR_CONFIG with the nearest name if there is none. */
fv_status fv_command_find(const char *name, const fv_command **out, fv_error *err);
/* What there is, for people. */
void fv_command_list(FILE *out);

/* Where tables and sentences for people go: standard output, but standard error if --json
 * takes that. */
FILE *fv_output(const fv_arguments *arguments);

/* Writes a result for programs to the file of --json, atomically; "-" is standard output.
 * Takes `json`, a json_t, over; NULL is out of memory. Without --json it only releases it. */
struct json_t;
fv_status fv_json_write(const fv_arguments *arguments, struct json_t *json, fv_error *err);

/* A model by its name; FV_ERR_CONFIG with the nearest name if there is none. */
fv_status fv_command_model(const char *name, const fv_model **out, fv_error *err);

extern const fv_command fv_command_info;
extern const fv_command fv_command_bench;
extern const fv_command fv_command_train;
extern const fv_command fv_command_eval;
extern const fv_command fv_command_predict;
extern const fv_command fv_command_report;
extern const fv_command fv_command_synth;
extern const fv_command fv_command_prepare_imagenet;
extern const fv_command fv_command_show_batch;
extern const fv_command fv_command_check_data;
extern const fv_command fv_command_pack;
extern const fv_command fv_command_convert;
extern const fv_command fv_command_config;
extern const fv_command fv_command_help;
extern const fv_command fv_command_version;

#endif /* FV_CLI_COMMAND_H */
