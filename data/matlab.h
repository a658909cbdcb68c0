/* SPDX-License-Identifier: Apache-2.0 */
/* data/matlab.h - an array of structures from a MATLAB 5 file.
 *
 * As much of the format as ImageNet's devkit needs: fields with a text or one number; anything
 * else in the file is skipped. Files are of others: all sizes are checked, and what is compressed
 * may not unpack to more than FV_MATLAB_MAX bytes.
 */
#ifndef FV_DATA_MATLAB_H
#define FV_DATA_MATLAB_H

#include "base/status.h"

#include <stddef.h>

enum { FV_MATLAB_MAX = 64 << 20 /* bytes, of the file and of the unpacked variable */ };

typedef struct fv_matlab fv_matlab;

/* The variable must be an array of structures. Little-endian files only, as every MATLAB of the
 * last decades writes them. */
fv_status fv_matlab_open(fv_matlab **out, const char *path, const char *variable, fv_error *err);
void fv_matlab_close(fv_matlab *matlab); /* accepts NULL */

int fv_matlab_count(const fv_matlab *matlab); /* structures */

/* A field of structure i, which is in [0, count). Text becomes UTF-8 without control characters and
 * must fit. Errors: no such field, or it holds something else. */
fv_status fv_matlab_text(const fv_matlab *matlab, int i, const char *field, char *out, size_t size,
                         fv_error *err);
fv_status fv_matlab_number(const fv_matlab *matlab, int i, const char *field, double *out,
                           fv_error *err);

#endif /* FV_DATA_MATLAB_H */
