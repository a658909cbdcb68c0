/* SPDX-License-Identifier: Apache-2.0 */
/* cli/retype.h - the command line to type next. */
#ifndef FV_CLI_RETYPE_H
#define FV_CLI_RETYPE_H

#include "cli/options.h"

/* "build/fovea <command> -c FILE -o ... --threads N" as it was called, quoted for a shell. With
 * `key`, "-o key=value" is added; overrides of Global.checkpoints and Global.pretrained_model are
 * then left out. Cut off where `size` ends. */
void fv_retype(char *out, size_t size, const fv_arguments *arguments, const char *command,
               const char *key, const char *value);

#endif /* FV_CLI_RETYPE_H */
