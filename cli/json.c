/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "cli/command.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

FILE *fv_output(const fv_arguments *arguments)
{
    return arguments->json && strcmp(arguments->json, "-") == 0 ? stderr : stdout;
}

fv_status fv_json_write(const fv_arguments *arguments, struct json_t *json, fv_error *err)
{
    if (!arguments->json) {
        json_decref(json);
        return FV_OK;
    }
    /* 9 digits tell all floats apart. */
    char *text = json ? json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(json);
    if (!text) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", arguments->json);

    fv_status status = FV_OK;
    const size_t bytes = strlen(text);
    text[bytes] = '\n'; /* in place of the final zero: both writers take a length */
    if (strcmp(arguments->json, "-") == 0) {
        if (fwrite(text, 1, bytes + 1, stdout) != bytes + 1 || fflush(stdout) != 0)
            status = fv_fail(err, FV_ERR_IO, "standard output: could not be written");
    } else {
        status = fv_file_write(arguments->json, text, bytes + 1, err);
    }
    free(text);
    return status;
}
