/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/advice.h"

#include "cli/progress.h"
#include "cli/text.h"

#include <stdarg.h>

void fv_advise(const char *format, ...)
{
    char line[FV_PROGRESS_LINE + 256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    fflush(stdout); /* where both go to one file, the result comes first */
    fv_text_print(stderr, line, fv_text_columns(line), false);
    fputc('\n', stderr);
}
