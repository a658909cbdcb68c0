/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/retype.h"

#include <stdio.h>
#include <string.h>

typedef struct text {
    char *out;
    size_t size, used;
} text;

static void add(text *t, char c)
{
    if (t->used + 1 < t->size) t->out[t->used++] = c;
    t->out[t->used] = '\0';
}

static void add_plain(text *t, const char *word)
{
    for (; *word; word++) add(t, *word);
}

/* A word as a POSIX shell reads it. */
static void add_word(text *t, const char *word)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "_-./=:,+@%";
    if (t->used) add(t, ' ');
    if (word[0] && strspn(word, safe) == strlen(word)) {
        add_plain(t, word);
        return;
    }
    add(t, '\'');
    for (; *word; word++) {
        if (*word == '\'')
            add_plain(t, "'\\''");
        else
            add(t, *word);
    }
    add(t, '\'');
}

static bool is_start(const char *override)
{
    return strncmp(override, "Global.checkpoints=", 19) == 0 ||
           strncmp(override, "Global.pretrained_model=", 24) == 0;
}

void fv_retype(char *out, size_t size, const fv_arguments *a, const char *command, const char *key,
               const char *value)
{
    text t = { out, size, 0 };
    add_word(&t, a->program);
    add_word(&t, command);
    if (a->config) {
        add_word(&t, "-c");
        add_word(&t, a->config);
    }
    for (int i = 0; i < a->override_count; i++) {
        if (key && is_start(a->overrides[i])) continue;
        add_word(&t, "-o");
        add_word(&t, a->overrides[i]);
    }
    if (key) {
        char assignment[4200];
        snprintf(assignment, sizeof(assignment), "%s=%s", key, value);
        add_word(&t, "-o");
        add_word(&t, assignment);
    }
    if (a->threads > 0) {
        char number[16];
        snprintf(number, sizeof(number), "%d", a->threads);
        add_word(&t, "--threads");
        add_word(&t, number);
    }
}
