/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { LONGEST = 63, FAR = 1000 };

/* Letters to change, add, drop or swap with their neighbour to get from a to b (optimal string
 * alignment), whatever their case. */
static int distance(const char *a, const char *b)
{
    const int na = (int)strnlen(a, LONGEST + 1), nb = (int)strnlen(b, LONGEST + 1);
    if (na > LONGEST || nb > LONGEST) return FAR;
    int rows[3][LONGEST + 1];
    for (int j = 0; j <= nb; j++) rows[0][j] = j;
    for (int i = 1; i <= na; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
        const int x = tolower((unsigned char)a[i - 1]);
        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            const int y = tolower((unsigned char)b[j - 1]);
            row[j] = fv_min(above[j - 1] + (x != y), 1 + fv_min(above[j], row[j - 1]));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]))
                row[j] = fv_min(row[j], second[j - 2] + 1);
        }
    }
    return rows[na % 3][nb];
}

/* "warmup" for "warmup_epoch", and the other way round. */
static bool begins(const char *a, const char *b)
{
    const size_t na = strlen(a), nb = strlen(b), shorter = na < nb ? na : nb;
    return shorter >= 4 && strncasecmp(a, b, shorter) == 0;
}

const char *fv_config_nearest(const char *word, const char *const *candidates)
{
    const size_t length = strlen(word);
    const int near = length <= 3 ? 1 : length <= 6 ? 2 : 3;
    const char *best = NULL;
    int least = near + 1;
    for (const char *const *c = candidates; *c; c++) {
        int d = distance(word, *c);
        if (d > near && begins(word, *c)) d = near;
        if (d < least && (size_t)d < length) {
            least = d;
            best = *c;
        }
    }
    return best;
}
