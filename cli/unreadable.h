/* SPDX-License-Identifier: Apache-2.0 */
/* cli/unreadable.h - the list of pictures that could not be read. */
#ifndef FV_CLI_UNREADABLE_H
#define FV_CLI_UNREADABLE_H

#include "data/source.h"

#define FV_UNREADABLE_NAME "unreadable.txt" /* in the output folder */

/* How many pictures of both sources could not be read so far; a source may be all zeros. */
int64_t fv_unreadable_count(const fv_source *train, const fv_source *eval);

/* Replaces folder/unreadable.txt: one path per line, those of training first, each in the order in
 * which they were found. Removes it if there are none. */
fv_status fv_unreadable_save(const char *folder, const fv_source *train, const fv_source *eval,
                             fv_error *err);

#endif /* FV_CLI_UNREADABLE_H */
