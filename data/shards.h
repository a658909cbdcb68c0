/* SPDX-License-Identifier: Apache-2.0 */
/* data/shards.h - file names from patterns, as WebDataset writes them.
 *
 *     train-{0000..0031}.tar    every number in turn; as many digits as the first has, if that or
 *                               the last begins with a zero
 *     train-*.tar               the files there are, sorted; * ? [abc] as in a shell
 *     a.tar                     itself
 */
#ifndef FV_DATA_SHARDS_H
#define FV_DATA_SHARDS_H

#include "base/list.h"
#include "base/memory.h"
#include "base/status.h"

/* Appends to `names` what `pattern` stands for, in order, as names relative to `root` (or absolute
 * ones); the text lies in `memory`. Fails for a pattern that matches nothing, for braces that are
 * no range, and for more than 100000 names. */
fv_status fv_shards_expand(fv_list *names, fv_arena *memory, const char *root, const char *pattern,
                           fv_error *err);

#endif /* FV_DATA_SHARDS_H */
