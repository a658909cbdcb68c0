/* SPDX-License-Identifier: Apache-2.0 */
/* tests/testing_config.h - what the tests of configurations share. */
#ifndef FV_TESTS_TESTING_CONFIG_H
#define FV_TESTS_TESTING_CONFIG_H

#include "testing.h"

#include "base/config.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

/* Parses a text that is good, as the file "a.yaml". */
static inline fv_config *config_parse(const char *text)
{
    fv_config *config = NULL;
    assert_ok(fv_config_parse(&config, "a.yaml", text, &testing_err));
    return config;
}

/* The call failed with just this message. */
static inline void config_expect_error(fv_status status, const char *message)
{
    assert_int_equal(status, FV_ERR_CONFIG);
    assert_int_equal(testing_err.status, FV_ERR_CONFIG);
    assert_string_equal(testing_err.message, message);
}

/* Text of the scalar at a path of keys and indices, "Global.list.1". */
static inline const char *config_text(fv_config *config, const char *path)
{
    char copy[128];
    snprintf(copy, sizeof(copy), "%s", path);
    fv_config_node *node = fv_config_root(config);
    for (char *rest = copy, *word = strsep(&rest, "."); word; word = strsep(&rest, ".")) {
        if (fv_config_node_type(node) == FV_CONFIG_LIST)
            node = fv_config_at(node, *word - '0');
        else
            node = fv_config_child(node, word);
    }
    return fv_config_node_text(node);
}

/* `text`, `count` times, then `end`; freed with fv_free(). */
static inline char *config_repeat(const char *text, int count, const char *end)
{
    const size_t length = strlen(text);
    char *all = fv_alloc(length * (size_t)count + strlen(end) + 1);
    assert_non_null(all);
    for (int i = 0; i < count; i++) memcpy(all + length * (size_t)i, text, length);
    memcpy(all + length * (size_t)count, end, strlen(end) + 1);
    return all;
}

#endif /* FV_TESTS_TESTING_CONFIG_H */
