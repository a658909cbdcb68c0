/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include "base/memory.h"
#include "cli/command.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 1024, MAX_WORDS = 64 };

/* The options of all commands, as rows of the same kind. */
/* clang-format off */
static const fv_option common[] = {
    { "threads", FV_OPTION_INT, offsetof(fv_arguments, threads), 0, 1, MAX_THREADS, .value = "N",
      .help = "how many threads compute; without it: OMP_NUM_THREADS, else the CPUs of this process" },
    { "json", FV_OPTION_TEXT, offsetof(fv_arguments, json), .value = "FILE",
      .help = "write the results for programs; - is standard output" },
    { "help", FV_OPTION_FLAG, offsetof(fv_arguments, help), .help = "show this text; also -h" },
    { .name = NULL },
};
/* clang-format on */

static const fv_option none[] = { { .name = NULL } };

static const fv_option *own_options(const fv_command *command)
{
    return command->options ? command->options : none;
}

/* ---- Values ---- */

static bool read_long(const char *text, const char **end, int64_t *value)
{
    char *stop;
    errno = 0;
    const long long number = strtoll(text, &stop, 10);
    if (stop == text || errno == ERANGE || (text[0] != '-' && (text[0] < '0' || text[0] > '9')))
        return false;
    *end = stop;
    *value = number;
    return true;
}

static bool read_double(const char *text, const char **end, double *value)
{
    char *stop;
    *value = strtod(text, &stop);
    if (stop == text || !isfinite(*value) || text[0] == ' ') return false;
    *end = stop;
    return true;
}

static fv_status set_long(const fv_option *o, void *member, const char *text, fv_error *err)
{
    const char *end = text;
    int64_t value;
    if (!read_long(text, &end, &value) || *end)
        return fv_fail(err, FV_ERR_CONFIG, "--%s: \"%s\" is not a whole number", o->name, text);
    if ((double)value < o->min || (double)value > o->max)
        return fv_fail(err, FV_ERR_CONFIG, "--%s: %lld is not in [%.0f, %.0f]", o->name,
                       (long long)value, o->min, o->max);
    if (o->type == FV_OPTION_INT)
        *(int *)member = (int)value;
    else
        *(int64_t *)member = value;
    return FV_OK;
}

static fv_status set_double(const fv_option *o, double *member, const char *text, fv_error *err)
{
    const char *end = text;
    double value;
    if (!read_double(text, &end, &value) || *end)
        return fv_fail(err, FV_ERR_CONFIG, "--%s: \"%s\" is not a number", o->name, text);
    if (value < o->min || value > o->max)
        return fv_fail(err, FV_ERR_CONFIG, "--%s: %g is not in [%g, %g]", o->name, value, o->min,
                       o->max);
    *member = value;
    return FV_OK;
}

static fv_status set_choice(const fv_option *o, int *member, const char *text, fv_error *err)
{
    char known[256] = "";
    for (int i = 0; o->names[i]; i++) {
        if (strcmp(o->names[i], text) == 0) {
            *member = i;
            return FV_OK;
        }
        const size_t used = strlen(known);
        snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", o->names[i]);
    }
    return fv_fail(err, FV_ERR_CONFIG, "--%s: \"%s\" is none of %s", o->name, text, known);
}

static fv_status set_size(const fv_option *o, fv_size *member, const char *text, fv_error *err)
{
    const char *end = text;
    int64_t height = 0, width = 0;
    bool good = read_long(text, &end, &height);
    width = height;
    if (good && *end == 'x') good = read_long(end + 1, &end, &width);
    if (!good || *end)
        return fv_fail(err, FV_ERR_CONFIG, "--%s: \"%s\" is no size; write 224 or 224x160", o->name,
                       text);
    const double low = (double)(height < width ? height : width);
    const double high = (double)(height < width ? width : height);
    if (low < o->min || high > o->max)
        return fv_fail(err, FV_ERR_CONFIG, "--%s: %s is not in [%.0f, %.0f] pixels", o->name, text,
                       o->min, o->max);
    *member = (fv_size){ (int)height, (int)width };
    return FV_OK;
}

static fv_status set_channels(const fv_option *o, fv_floats *member, const char *text,
                              fv_error *err)
{
    fv_floats read = { 0 };
    const char *end = text;
    while (read.count < 3) {
        double value;
        if (!read_double(end, &end, &value)) break;
        if (value < o->min || value > o->max)
            return fv_fail(err, FV_ERR_CONFIG, "--%s: %g is not in [%g, %g]", o->name, value,
                           o->min, o->max);
        read.values[read.count++] = value;
        if (*end != ',') break;
        end++;
    }
    if (*end || end[-(end > text)] == ',' || (read.count != 1 && read.count != 3))
        return fv_fail(err, FV_ERR_CONFIG,
                       "--%s: \"%s\" is neither one number nor three with commas", o->name, text);
    for (; read.count < 3; read.count++) read.values[read.count] = read.values[0];
    *member = read;
    return FV_OK;
}

static fv_status set_value(const fv_option *o, void *options, const char *text, fv_error *err)
{
    void *member = (char *)options + o->offset;
    switch (o->type) {
    case FV_OPTION_FLAG: break;
    case FV_OPTION_INT:
    case FV_OPTION_LONG: return set_long(o, member, text, err);
    case FV_OPTION_NUMBER: return set_double(o, member, text, err);
    case FV_OPTION_CHOICE: return set_choice(o, member, text, err);
    case FV_OPTION_SIZE: return set_size(o, member, text, err);
    case FV_OPTION_CHANNELS: return set_channels(o, member, text, err);
    case FV_OPTION_TEXT: *(const char **)member = text; break;
    }
    return FV_OK;
}

static void set_default(const fv_option *o, void *options)
{
    void *member = (char *)options + o->offset;
    switch (o->type) {
    case FV_OPTION_INT: *(int *)member = (int)o->otherwise; break;
    case FV_OPTION_LONG: *(int64_t *)member = (int64_t)o->otherwise; break;
    case FV_OPTION_NUMBER: *(double *)member = o->otherwise; break;
    case FV_OPTION_TEXT: *(const char **)member = o->otherwise_text; break;
    case FV_OPTION_SIZE:
        *(fv_size *)member = (fv_size){ (int)o->otherwise, (int)o->otherwise };
        break;
    case FV_OPTION_CHOICE:
        *(int *)member = -1;
        for (int i = 0; o->otherwise_text && o->names[i]; i++)
            if (strcmp(o->names[i], o->otherwise_text) == 0) *(int *)member = i;
        break;
    case FV_OPTION_FLAG:
    case FV_OPTION_CHANNELS: break; /* zero */
    }
}

/* ---- The command line ---- */

typedef struct reader {
    const fv_command *command;
    fv_arguments *out;
    int argc, next;
    char **argv;
} reader;

static const fv_option *find(const fv_option *options, const char *name, size_t length)
{
    for (; options->name; options++)
        if (strlen(options->name) == length && strncmp(options->name, name, length) == 0)
            return options;
    return NULL;
}

static fv_status unknown(const reader *r, const char *word, fv_error *err)
{
    const char *names[MAX_WORDS] = { NULL };
    size_t count = 0;
    for (const fv_option *o = own_options(r->command); o->name && count < MAX_WORDS - 1; o++)
        names[count++] = o->name;
    for (const fv_option *o = common; o->name && count < MAX_WORDS - 1; o++)
        names[count++] = o->name;

    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
    const char *bare = name + strspn(name, "-");
    const char *near = *bare ? fv_config_nearest(bare, names) : NULL;
    if (near)
        return fv_fail(err, FV_ERR_CONFIG, "%s: unknown option, did you mean --%s?", name, near);
    return fv_fail(err, FV_ERR_CONFIG,
                   "%s: unknown option; \"fovea %s --help\" lists them; write -- before an "
                   "operand that begins with -",
                   name, r->command->name);
}

/* The value of an option that needs one: the next word. A word with two dashes is not taken
 * for one, "--json --topk" is a file name forgotten. */
static fv_status take_value(reader *r, const char *option, const char *value, const char **out,
                            fv_error *err)
{
    if (r->next >= r->argc || strncmp(r->argv[r->next], "--", 2) == 0)
        return fv_fail(err, FV_ERR_CONFIG, "%s: %s is missing", option, value);
    *out = r->argv[r->next++];
    return FV_OK;
}

static fv_status read_long_option(reader *r, const char *word, fv_error *err)
{
    const char *name = word + 2;
    const size_t length = strcspn(name, "=");
    void *options = r->out->options;
    const fv_option *o = find(own_options(r->command), name, length);
    if (!o) {
        o = find(common, name, length);
        options = r->out;
    }
    if (!o) return unknown(r, word, err);

    const bool has_value = name[length] == '=';
    if (o->type == FV_OPTION_FLAG) {
        if (has_value)
            return fv_fail(err, FV_ERR_CONFIG, "--%s: takes no value, got \"%s\"", o->name,
                           name + length + 1);
        *(bool *)((char *)options + o->offset) = true;
        return FV_OK;
    }
    const char *value = name + length + 1;
    if (!has_value) {
        char option[64];
        snprintf(option, sizeof(option), "--%s", o->name);
        FV_TRY(take_value(r, option, o->value, &value, err));
    }
    return set_value(o, options, value, err);
}

static fv_status read_short_option(reader *r, const char *word, fv_error *err)
{
    const char letter = word[1];
    if (letter == 'h' && !word[2]) {
        r->out->help = true;
        return FV_OK;
    }
    if (letter != 'c' && letter != 'o') return unknown(r, word, err);
    if (!r->command->takes_config)
        return fv_fail(err, FV_ERR_CONFIG, "-%c: \"fovea %s\" reads no configuration", letter,
                       r->command->name);

    const char *value = word[2] ? word + 2 : NULL;
    const char option[3] = { '-', letter, '\0' };
    if (!value)
        FV_TRY(take_value(r, option, letter == 'c' ? "FILE" : "Key.Sub=value", &value, err));
    if (letter == 'c')
        r->out->config = value;
    else
        r->out->overrides[r->out->override_count++] = value;
    return FV_OK;
}

static fv_status read_words(reader *r, fv_error *err)
{
    bool only_operands = false;
    while (r->next < r->argc) {
        const char *word = r->argv[r->next++];
        if (only_operands || word[0] != '-' || !word[1])
            r->out->operands[r->out->operand_count++] = word;
        else if (strcmp(word, "--") == 0)
            only_operands = true;
        else if (word[1] == '-')
            FV_TRY(read_long_option(r, word, err));
        else
            FV_TRY(read_short_option(r, word, err));
    }
    return FV_OK;
}

static fv_status check_operands(const fv_command *command, const fv_arguments *a, fv_error *err)
{
    if (a->operand_count < command->operands_min)
        return fv_fail(err, FV_ERR_CONFIG, "an operand is missing; usage: fovea %s %s",
                       command->name, command->usage);
    if (a->operand_count > command->operands_max)
        return fv_fail(err, FV_ERR_CONFIG, "%s: one operand too many; usage: fovea %s %s",
                       a->operands[command->operands_max], command->name, command->usage);
    return FV_OK;
}

fv_status fv_arguments_parse(fv_arguments *out, const fv_command *command, int argc, char **argv,
                             fv_error *err)
{
    fv_arguments a = { 0 };
    const size_t words = (size_t)(argc > 0 ? argc : 0);
    a.overrides = fv_alloc(words * sizeof(*a.overrides));
    a.operands = fv_alloc(words * sizeof(*a.operands));
    a.options = fv_alloc(command->options_bytes);
    fv_status status = FV_OK;
    if (!a.overrides || !a.operands || !a.options) {
        status = fv_fail(err, FV_ERR_NOMEM, "command line: out of memory");
        goto out;
    }
    for (const fv_option *o = own_options(command); o->name; o++) set_default(o, a.options);

    reader r = { .command = command, .out = &a, .argc = argc, .argv = argv };
    status = read_words(&r, err);
    if (status == FV_OK && !a.help) status = check_operands(command, &a, err);

out:
    if (status == FV_OK)
        *out = a;
    else
        fv_arguments_deinit(&a);
    return status;
}

void fv_arguments_deinit(fv_arguments *arguments)
{
    fv_free(arguments->overrides);
    fv_free(arguments->operands);
    fv_free(arguments->options);
    *arguments = (fv_arguments){ 0 };
}

fv_status fv_arguments_config(const fv_arguments *arguments, fv_config **out, fv_error *err)
{
    if (!arguments->config)
        return fv_fail(err, FV_ERR_CONFIG, "-c: a configuration file is needed");
    fv_config *config = NULL;
    FV_TRY(fv_config_load(&config, arguments->config, err));
    for (int i = 0; i < arguments->override_count; i++) {
        const fv_status status = fv_config_set(config, arguments->overrides[i], err);
        if (status == FV_OK) continue;
        fv_config_destroy(config);
        return status;
    }
    *out = config;
    return FV_OK;
}

/* ---- Help ---- */

enum { HELP_COLUMN = 28, HELP_WIDTH = 80 };

/* Prints words from column HELP_COLUMN on, in lines of HELP_WIDTH columns. */
static void print_wrapped(FILE *out, int column, const char *text)
{
    if (column >= HELP_COLUMN) {
        fputc('\n', out);
        column = 0;
    }
    fprintf(out, "%*s", HELP_COLUMN - column, "");
    column = HELP_COLUMN;
    while (*text) {
        const int length = (int)strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + length > HELP_WIDTH) {
            fprintf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        column += fprintf(out, "%s%.*s", column > HELP_COLUMN ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

/* "; default 5", "; pillow (default) or opencv". */
static void describe_default(const fv_option *o, char *text, size_t size)
{
    text[0] = '\0';
    switch (o->type) {
    case FV_OPTION_INT:
    case FV_OPTION_LONG:
    case FV_OPTION_NUMBER:
    case FV_OPTION_SIZE:
        if (o->otherwise >= o->min) snprintf(text, size, " (default %.10g)", o->otherwise);
        break;
    case FV_OPTION_TEXT:
        if (o->otherwise_text) snprintf(text, size, " (default %s)", o->otherwise_text);
        break;
    case FV_OPTION_CHOICE:
        for (int i = 0; o->names[i]; i++) {
            const size_t used = strlen(text);
            const char *otherwise = o->otherwise_text ? o->otherwise_text : "";
            const bool is_default = strcmp(o->names[i], otherwise) == 0;
            snprintf(text + used, size - used, "%s%s%s", i ? ", " : ": ", o->names[i],
                     is_default ? " (default)" : "");
        }
        break;
    case FV_OPTION_FLAG:
    case FV_OPTION_CHANNELS: break;
    }
}

static void print_options(FILE *out, const fv_option *options)
{
    for (const fv_option *o = options; o->name; o++) {
        char otherwise[256], text[512];
        describe_default(o, otherwise, sizeof(otherwise));
        snprintf(text, sizeof(text), "%s%s", o->help, otherwise);
        const int column =
            fprintf(out, "  --%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        print_wrapped(out, column, text);
    }
}

void fv_options_help(FILE *out, const fv_command *command)
{
    fprintf(out, "fovea %s - %s\n\nusage: fovea %s %s\n", command->name, command->help,
            command->name, command->usage);
    if (command->details) fprintf(out, "\n%s\n", command->details);
    fprintf(out, "\noptions:\n");
    if (command->takes_config) {
        print_wrapped(out, fprintf(out, "  -c FILE"), "configuration, YAML");
        print_wrapped(out, fprintf(out, "  -o Key.Sub=value"),
                      "overrides one value of the configuration; repeatable");
    }
    print_options(out, own_options(command));
    print_options(out, common);
}
