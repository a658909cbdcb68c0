/* SPDX-License-Identifier: Apache-2.0 */
/* cli/check_data.h - what `fovea check-data` tells, in its three forms. */
#ifndef FV_CLI_CHECK_DATA_H
#define FV_CLI_CHECK_DATA_H

#include "data/check.h"
#include "eval/labels.h"

#include <stdio.h>

typedef struct fv_check_report {
    fv_check check;
    const char *sources[FV_TWINS_PARTS]; /* what was read, for people; borrowed */
    fv_check_lines lines;                /* that lists had to leave out */
    fv_labels labels;                    /* names of classes that the data do not name */
    uint32_t allowed;                    /* bits 1 << fv_check_kind that are no problems */
    double seconds;
} fv_check_report;

/* "train", "val" */
const char *fv_check_part_name(int part);
/* As the part calls it; "" if no name is known. */
const char *fv_check_report_class_name(const fv_check_report *report, int part, int label);
bool fv_check_is_problem(const fv_check_report *report, fv_check_kind kind);
/* Findings that are problems, all kinds together. */
int64_t fv_check_problems(const fv_check_report *report);

/* Tables on `out`. */
fv_status fv_check_print(const fv_check_report *report, FILE *out, fv_error *err);

/* What --json writes; of each kind of finding at most FV_CHECK_LISTED are listed. */
enum { FV_CHECK_LISTED = 10000 };
struct json_t;
fv_status fv_check_to_json(const fv_check_report *report, struct json_t **out, fv_error *err);

/* Writes the page, atomically. Reads pictures again, for thumbnails. */
fv_status fv_check_write_page(const fv_check_report *report, const char *path, fv_error *err);

#endif /* FV_CLI_CHECK_DATA_H */
