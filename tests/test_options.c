/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/memory.h"
#include "cli/command.h"

#include <stdlib.h>
#include <string.h>

typedef struct all_options {
    bool flag;
    int count, choice, optional;
    int64_t many;
    double number;
    const char *text;
    fv_size size;
    fv_floats mean;
} all_options;

static const char *const choices[] = { "pillow", "opencv", NULL };

/* clang-format off */
static const fv_option options[] = {
    { "flag", FV_OPTION_FLAG, offsetof(all_options, flag), .help = "switch it on" },
    { "count", FV_OPTION_INT, offsetof(all_options, count), 3, 1, 10, .value = "N", .help = "how many" },
    { "many", FV_OPTION_LONG, offsetof(all_options, many), 0, 0, 1e12, .value = "N", .help = "how many more" },
    { "number", FV_OPTION_NUMBER, offsetof(all_options, number), 0.5, 0, 1, .value = "X", .help = "a share" },
    { "text", FV_OPTION_TEXT, offsetof(all_options, text), .otherwise_text = "here", .value = "FILE", .help = "a place" },
    { "choice", FV_OPTION_CHOICE, offsetof(all_options, choice), .otherwise_text = "opencv", .names = choices, .value = "NAME", .help = "one of" },
    { "optional", FV_OPTION_CHOICE, offsetof(all_options, optional), .names = choices, .value = "NAME", .help = "none or" },
    { "size", FV_OPTION_SIZE, offsetof(all_options, size), 0, 1, 100, .value = "HxW", .help = "pixels" },
    { "mean", FV_OPTION_CHANNELS, offsetof(all_options, mean), 0, -10, 10, .value = "R,G,B", .help = "grey" },
    { .name = NULL },
};
/* clang-format on */

static const fv_command command = {
    .name = "try",
    .help = "see what happens",
    .usage = "PATH... [OPTIONS]",
    .options = options,
    .options_bytes = sizeof(all_options),
    .operands_min = 1,
    .operands_max = 2,
    .takes_config = true,
};

static const fv_command bare = { .name = "bare", .help = "nothing", .usage = "" };

enum { MAX_WORDS = 16 };

/* Parses words that are separated by single blanks. */
static fv_status parse(const fv_command *c, const char *line, fv_arguments *out, fv_error *err)
{
    static char words[512];
    char *argv[MAX_WORDS];
    int argc = 0;
    snprintf(words, sizeof(words), "%s", line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    return fv_arguments_parse(out, c, argc, argv, err);
}

static void test_defaults(void **state)
{
    (void)state;
    fv_arguments a;
    assert_ok(parse(&command, "picture.jpg", &a, &testing_err));
    const all_options *o = a.options;
    assert_false(o->flag);
    assert_int_equal(o->count, 3);
    assert_int_equal(o->many, 0);
    assert_true(o->number == 0.5);
    assert_string_equal(o->text, "here");
    assert_int_equal(o->choice, 1);
    assert_int_equal(o->optional, -1);
    assert_int_equal(o->size.height, 0);
    assert_int_equal(o->mean.count, 0);
    assert_null(a.config);
    assert_null(a.json);
    assert_int_equal(a.threads, 0);
    assert_int_equal(a.operand_count, 1);
    assert_string_equal(a.operands[0], "picture.jpg");
    fv_arguments_deinit(&a);
}

static void test_all_kinds(void **state)
{
    (void)state;
    fv_arguments a;
    assert_ok(parse(&command,
                    "a.jpg --flag --count=10 --many 1000000000000 --number 1e-3 --text=x=y "
                    "--choice pillow --optional opencv --size 32x48 --mean -0.5,0,2",
                    &a, &testing_err));
    const all_options *o = a.options;
    assert_true(o->flag);
    assert_int_equal(o->count, 10);
    assert_true(o->many == 1000000000000);
    assert_true(o->number == 1e-3);
    assert_string_equal(o->text, "x=y");
    assert_int_equal(o->choice, 0);
    assert_int_equal(o->optional, 1);
    assert_int_equal(o->size.height, 32);
    assert_int_equal(o->size.width, 48);
    assert_int_equal(o->mean.count, 3);
    assert_true(o->mean.values[0] == -0.5 && o->mean.values[2] == 2.0);
    fv_arguments_deinit(&a);
}

static void test_shared_options(void **state)
{
    (void)state;
    fv_arguments a;
    assert_ok(parse(&command, "-o A.b=1 -c f.yaml x --threads 2 -oC=2 --json - -- -dash.jpg", &a,
                    &testing_err));
    assert_string_equal(a.config, "f.yaml");
    assert_int_equal(a.override_count, 2);
    assert_string_equal(a.overrides[0], "A.b=1");
    assert_string_equal(a.overrides[1], "C=2");
    assert_int_equal(a.threads, 2);
    assert_string_equal(a.json, "-");
    assert_int_equal(a.operand_count, 2);
    assert_string_equal(a.operands[1], "-dash.jpg");
    fv_arguments_deinit(&a);

    assert_ok(parse(&command, "--size 64 x --count 1 --count 2 --mean 0.5 -h", &a, &testing_err));
    const all_options *o = a.options;
    assert_true(a.help);
    assert_int_equal(o->count, 2);
    assert_int_equal(o->size.height, 64);
    assert_int_equal(o->size.width, 64);
    assert_int_equal(o->mean.count, 3);
    assert_true(o->mean.values[2] == 0.5);
    fv_arguments_deinit(&a);
}

static void test_messages(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        { "x --cuont 3", "--cuont: unknown option, did you mean --count?" },
        { "x --thread=3", "--thread: unknown option, did you mean --threads?" },
        { "x --zzzzzzzzz", "--zzzzzzzzz: unknown option; \"fovea try --help\" lists them; write -- "
                           "before an operand that begins with -" },
        { "x -q", "-q: unknown option; \"fovea try --help\" lists them; write -- before an operand "
                  "that begins with -" },
        { "x --count", "--count: N is missing" },
        { "x --text --flag", "--text: FILE is missing" },
        { "x -c", "-c: FILE is missing" },
        { "x -o", "-o: Key.Sub=value is missing" },
        { "x --flag=1", "--flag: takes no value, got \"1\"" },
        { "x --count 3.5", "--count: \"3.5\" is not a whole number" },
        { "x --count 99999999999999999999",
          "--count: \"99999999999999999999\" is not a whole number" },
        { "x --count +3", "--count: \"+3\" is not a whole number" },
        { "x --count 11", "--count: 11 is not in [1, 10]" },
        { "x --count 4294967297", "--count: 4294967297 is not in [1, 10]" },
        { "x --count -1", "--count: -1 is not in [1, 10]" },
        { "x --number nan", "--number: \"nan\" is not a number" },
        { "x --number 2", "--number: 2 is not in [0, 1]" },
        { "x --number 1e999", "--number: \"1e999\" is not a number" },
        { "x --choice PIL", "--choice: \"PIL\" is none of pillow, opencv" },
        { "x --size 32x", "--size: \"32x\" is no size; write 224 or 224x160" },
        { "x --size 0x5", "--size: 0x5 is not in [1, 100] pixels" },
        { "x --size 5x101", "--size: 5x101 is not in [1, 100] pixels" },
        { "x --mean 1,2", "--mean: \"1,2\" is neither one number nor three with commas" },
        { "x --mean 1,2,3,4", "--mean: \"1,2,3,4\" is neither one number nor three with commas" },
        { "x --mean 1,2,3,", "--mean: \"1,2,3,\" is neither one number nor three with commas" },
        { "x --mean 1,,3", "--mean: \"1,,3\" is neither one number nor three with commas" },
        { "x --mean=", "--mean: \"\" is neither one number nor three with commas" },
        { "x --mean 11", "--mean: 11 is not in [-10, 10]" },
        { "x --threads 0", "--threads: 0 is not in [1, 1024]" },
        { "", "an operand is missing; usage: fovea try PATH... [OPTIONS]" },
        { "x y z", "z: one operand too many; usage: fovea try PATH... [OPTIONS]" },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        fv_arguments a;
        fv_error err;
        assert_int_equal(parse(&command, cases[i].line, &a, &err), FV_ERR_CONFIG);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void test_command_without_config(void **state)
{
    (void)state;
    fv_arguments a;
    fv_error err;
    assert_int_equal(parse(&bare, "-c f.yaml", &a, &err), FV_ERR_CONFIG);
    assert_string_equal(err.message, "-c: \"fovea bare\" reads no configuration");
    assert_int_equal(parse(&bare, "x", &a, &err), FV_ERR_CONFIG);
    assert_string_equal(err.message, "x: one operand too many; usage: fovea bare ");
    assert_ok(parse(&bare, "--json f", &a, &testing_err));
    assert_int_equal(fv_arguments_config(&a, &(fv_config *){ NULL }, &err), FV_ERR_CONFIG);
    assert_string_equal(err.message, "-c: a configuration file is needed");
    fv_arguments_deinit(&a);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 3; n++) {
        fv_arguments a;
        fv_error err;
        fv_alloc_fail_at(n);
        assert_int_equal(parse(&command, "x", &a, &err), FV_ERR_NOMEM);
        fv_alloc_fail_at(0);
        assert_string_equal(err.message, "command line: out of memory");
    }
}

static void test_help(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    fv_options_help(out, &command);
    fclose(out);
    assert_string_equal(
        text, "fovea try - see what happens\n\nusage: fovea try PATH... [OPTIONS]\n\noptions:\n"
              "  -c FILE                   configuration, YAML\n"
              "  -o Key.Sub=value          overrides one value of the configuration; repeatable\n"
              "  --flag                    switch it on\n"
              "  --count N                 how many (default 3)\n"
              "  --many N                  how many more (default 0)\n"
              "  --number X                a share (default 0.5)\n"
              "  --text FILE               a place (default here)\n"
              "  --choice NAME             one of: pillow, opencv (default)\n"
              "  --optional NAME           none or: pillow, opencv\n"
              "  --size HxW                pixels\n"
              "  --mean R,G,B              grey\n"
              "  --threads N               how many threads compute; without it:\n"
              "                            OMP_NUM_THREADS, else the CPUs of this process\n"
              "  --json FILE               write the results for programs; - is standard output\n"
              "  --help                    show this text; also -h\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_all_kinds),
        cmocka_unit_test(test_shared_options),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_command_without_config),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
