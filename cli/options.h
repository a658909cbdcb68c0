/* SPDX-License-Identifier: Apache-2.0 */
/* cli/options.h - the command line, read through tables as settings are.
 *
 * Each command lists its long options once, in a table of fv_option; the table gives the
 * parser, the defaults, the ranges, the help text and the words for "did you mean". The
 * options that every command shares are known here:
 *
 *     -c FILE            configuration           (commands that take one)
 *     -o Key.Sub=value   overrides one value, repeatable
 *     --threads N        how many threads compute
 *     --json FILE        results for programs; - is standard output
 *     -h, --help
 *
 * Options and operands may be mixed; after -- everything is an operand. "--name value" and
 * "--name=value" are the same. Of an option given twice the last one counts.
 */
#ifndef FV_CLI_OPTIONS_H
#define FV_CLI_OPTIONS_H

#include "base/config.h"

#include <stdio.h>

typedef enum fv_option_type {
    FV_OPTION_FLAG,     /* bool; takes no value */
    FV_OPTION_INT,      /* int */
    FV_OPTION_LONG,     /* int64_t */
    FV_OPTION_NUMBER,   /* double */
    FV_OPTION_TEXT,     /* const char *, borrowed from argv */
    FV_OPTION_CHOICE,   /* int: index into `names`; -1: not given, and no default */
    FV_OPTION_SIZE,     /* fv_size: "224" or "224x160", height first */
    FV_OPTION_CHANNELS, /* fv_floats: one number for all of R, G, B, or three with commas; filled
                           up to 3; count 0: not given */
} fv_option_type;

typedef struct fv_size {
    int height, width; /* pixels; 0: not given */
} fv_size;

typedef struct fv_option {
    const char *name; /* "batch" for --batch; NULL ends the table */
    fv_option_type type;
    size_t offset;              /* of the member in the command's struct */
    double otherwise, min, max; /* default and range, inclusive; of numbers and sizes */
    const char *otherwise_text; /* default of FV_OPTION_TEXT and FV_OPTION_CHOICE, or NULL */
    const char *const *names;   /* of FV_OPTION_CHOICE: NULL-terminated */
    const char *value;          /* what --help calls the value: "FILE" */
    const char *help;           /* one sentence, without what the table already says */
} fv_option;

/* What was given. Strings are borrowed from argv. */
typedef struct fv_arguments {
    const char *program;    /* as it was called, "build/fovea"; the caller of parse sets it */
    const char *config;     /* of -c, or NULL */
    const char **overrides; /* of -o, in order; owned array */
    int override_count;
    int threads;           /* 0: not given */
    const char *json;      /* of --json, or NULL */
    bool help;             /* nothing else was checked then */
    const char **operands; /* owned array */
    int operand_count;
    void *options; /* the command's own struct, owned; see fv_command */
} fv_arguments;

typedef struct fv_command fv_command;

/* Reads argv[0 .. argc) that follow the name of the command. Errors have the status
 * FV_ERR_CONFIG and begin with the option: "--batch: ...". */
fv_status fv_arguments_parse(fv_arguments *out, const fv_command *command, int argc, char **argv,
                             fv_error *err);
void fv_arguments_deinit(fv_arguments *arguments); /* accepts an all-zero struct */

/* Loads the configuration that -c names and applies the overrides. */
fv_status fv_arguments_config(const fv_arguments *arguments, fv_config **out, fv_error *err);

/* The text of --help. */
void fv_options_help(FILE *out, const fv_command *command);

#endif /* FV_CLI_OPTIONS_H */
