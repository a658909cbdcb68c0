/* SPDX-License-Identifier: Apache-2.0 */
/* What a scalar's text means.
 *
 *     list    := ("[" | "(") (sum ("," sum)*)? ","? ("]" | ")")
 *     sum     := product (("+" | "-") product)*
 *     product := factor (("*" | "/") factor)*
 *     factor  := number | sign? "(" sum ")"
 *     number  := sign? (whole | "0x" hex+ | decimal | infinity | not-a-number)
 *     whole   := "0" | [1-9] ("_"? [0-9])*
 *     decimal := digits with a point, an exponent, or both
 *
 * YAML 1.1 would read 017 as 15 and 1:30 as 90; here neither is a number.
 */
#include "base/config_impl.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool one_of(const char *text, const char *const *words)
{
    while (*words && strcmp(text, *words) != 0) words++;
    return *words != NULL;
}

bool fv_config_text_null(const char *text)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL", "None", NULL };
    return one_of(text, words);
}

bool fv_config_text_bool(const char *text, bool *value)
{
    static const char *const yes[] = { "true", "True", "TRUE", "yes", "Yes",
                                       "YES",  "on",   "On",   "ON",  NULL };
    static const char *const no[] = { "false", "False", "FALSE", "no",  "No",
                                      "NO",    "off",   "Off",   "OFF", NULL };
    *value = one_of(text, yes);
    return *value || one_of(text, no);
}

/* ---- Numbers ----------------------------------------------------------------- */

/* A number being read: its characters without the underscores. */
typedef struct digits {
    char text[128];
    int length;
    bool overflow;
} digits;

static void put(digits *d, char c)
{
    if (d->length + 1 < (int)sizeof(d->text))
        d->text[d->length++] = c;
    else
        d->overflow = true;
}

/* Digits, with single underscores between them; returns how many. */
static int take_digits(const char **at, digits *d)
{
    int count = 0;
    const char *p = *at;
    for (; isdigit((unsigned char)*p) || (*p == '_' && count && isdigit((unsigned char)p[1])); p++)
        if (*p != '_') {
            put(d, *p);
            count++;
        }
    *at = p;
    return count;
}

/* ".inf", "inf", ".nan" and "nan" in any case, so that they get a message of their own. */
static bool take_special(const char **at, double *value)
{
    const char *p = *at + (**at == '.');
    if (strncasecmp(p, "inf", 3) == 0)
        *value = (double)INFINITY;
    else if (strncasecmp(p, "nan", 3) == 0)
        *value = (double)NAN;
    else
        return false;
    *at = p + 3;
    return true;
}

static bool take_hex(const char **at, bool negative, fv_config_number *number)
{
    const char *p = *at + 2;
    if (!isxdigit((unsigned char)*p)) return false;
    char *end;
    errno = 0;
    const long long n = strtoll(p, &end, 16);
    if (errno == ERANGE) return false;
    *at = end;
    number->integer = negative ? -n : n;
    number->value = (double)number->integer;
    number->whole = true;
    return true;
}

/* The unsigned part of a decimal number; `d` begins with the sign. */
static bool take_decimal(const char **at, digits *d, fv_config_number *number)
{
    const char *p = *at;
    const int before = take_digits(&p, d);
    if (before > 1 && **at == '0') return false;
    number->whole = *p != '.';
    if (*p == '.') {
        put(d, *p++);
        const int after = isdigit((unsigned char)*p) ? take_digits(&p, d) : 0;
        if (before + after == 0) return false;
    } else if (before == 0) {
        return false;
    }
    if (*p == 'e' || *p == 'E') {
        number->whole = false;
        put(d, *p++);
        if (*p == '+' || *p == '-') put(d, *p++);
        if (take_digits(&p, d) == 0) return false;
    }
    if (d->overflow) return false;
    number->value = strtod(d->text, NULL);
    number->integer = number->whole ? strtoll(d->text, NULL, 10) : 0; /* clamped if too large */
    *at = p;
    return true;
}

static bool take_number(const char **at, fv_config_number *number)
{
    *number = (fv_config_number){ 0 };
    digits d = { 0 };
    const bool negative = **at == '-';
    if (negative || **at == '+') put(&d, *(*at)++);
    if (take_special(at, &number->value)) {
        if (negative) number->value = -number->value;
    } else if ((*at)[0] == '0' && ((*at)[1] == 'x' || (*at)[1] == 'X')) {
        if (!take_hex(at, negative, number)) return false;
    } else if (!take_decimal(at, &d, number)) {
        return false;
    }
    return !isalnum((unsigned char)**at) && **at != '_' && **at != '.';
}

static void skip_blanks(const char **at) { *at += strspn(*at, " \t"); }

/* ---- Expressions ------------------------------------------------------------- */

enum { MAX_PARENTHESES = 16 };

static bool take_sum(const char **at, int depth, fv_config_number *number);

/* With one of + - * / between them. */
static void combine(fv_config_number *a, char sign, fv_config_number b)
{
    switch (sign) {
    case '+': a->value += b.value; break;
    case '-': a->value -= b.value; break;
    case '*': a->value *= b.value; break;
    default: a->value /= b.value; break;
    }
    /* Up to 2^53 the result in double is that of the integers. */
    a->whole = sign != '/' && a->whole && b.whole && fabs(a->value) <= 9007199254740992.0;
    a->integer = a->whole ? (int64_t)a->value : 0;
}

static bool take_factor(const char **at, int depth, fv_config_number *number)
{
    skip_blanks(at);
    const char *p = *at + (**at == '-' || **at == '+');
    if (*p != '(') return take_number(at, number);
    const bool negative = **at == '-';
    p++;
    if (depth == MAX_PARENTHESES || !take_sum(&p, depth + 1, number) || *p != ')') return false;
    if (negative)
        combine(number, '*', (fv_config_number){ .value = -1, .integer = -1, .whole = true });
    *at = p + 1;
    return true;
}

static bool take_product(const char **at, int depth, fv_config_number *number)
{
    if (!take_factor(at, depth, number)) return false;
    for (skip_blanks(at); **at == '*' || **at == '/'; skip_blanks(at)) {
        const char sign = *(*at)++;
        fv_config_number other;
        if (!take_factor(at, depth, &other)) return false;
        combine(number, sign, other);
    }
    return true;
}

static bool take_sum(const char **at, int depth, fv_config_number *number)
{
    if (!take_product(at, depth, number)) return false;
    while (**at == '+' || **at == '-') {
        const char sign = *(*at)++;
        fv_config_number other;
        if (!take_product(at, depth, &other)) return false;
        combine(number, sign, other);
    }
    return true;
}

bool fv_config_text_number(const char *text, fv_config_number *number)
{
    return take_sum(&text, 0, number) && *text == '\0';
}

int fv_config_text_numbers(const char *text, fv_config_number *numbers, int most)
{
    int count = 0;
    skip_blanks(&text);
    const char close = *text == '[' ? ']' : ')';
    if (*text != '[' && *text != '(') return -1;
    text++;
    for (skip_blanks(&text); *text != close; skip_blanks(&text)) {
        if (count == most || !take_sum(&text, 0, &numbers[count++])) return -1;
        if (*text == ',')
            text++;
        else if (*text != close)
            return -1;
    }
    text++;
    skip_blanks(&text);
    return *text ? -1 : count;
}

/* ---- Characters -------------------------------------------------------------- */

int fv_config_decode(const char **at)
{
    static const int least[] = { 0, 0x80, 0x800, 0x10000 }; /* the shortest form is the only one */
    const unsigned char *p = (const unsigned char *)(*at)++;
    const int more = *p < 0x80 ? 0 : *p < 0xc0 ? -1 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
    if (more < 0 || *p > 0xf4) return -1;
    int c = more ? *p & (0x3f >> more) : *p;
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0u) != 0x80u) return -1;
        c = c << 6 | (p[i] & 0x3f);
        (*at)++;
    }
    return c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? -1 : c;
}

/* ---- Messages ---------------------------------------------------------------- */

fv_config_quoted fv_config_quote(const char *text)
{
    enum { MOST = 60 };
    fv_config_quoted q = { "\"" };
    size_t length = strlen(text);
    const bool cut = length > MOST;
    if (cut) length = MOST;
    while (cut && length > 0 && ((unsigned char)text[length] & 0xc0u) == 0x80u)
        length--; /* UTF-8 */
    for (size_t i = 0; i < length; i++)
        q.text[1 + i] = (unsigned char)text[i] < ' ' || text[i] == '\x7f' ? ' ' : text[i];
    memcpy(q.text + 1 + length, cut ? "...\"" : "\"", cut ? 5 : 2);
    return q;
}

fv_config_quoted fv_config_describe(const fv_config_node *node)
{
    static const char *const names[] = {
        [FV_CONFIG_NULL] = "nothing",
        [FV_CONFIG_SCALAR] = "a scalar",
        [FV_CONFIG_LIST] = "a list",
        [FV_CONFIG_MAP] = "a map",
    };
    const fv_config_type type = fv_config_node_type(node);
    if (type == FV_CONFIG_SCALAR) return fv_config_quote(node->text);
    fv_config_quoted q;
    snprintf(q.text, sizeof(q.text), "%s", names[type]);
    return q;
}
