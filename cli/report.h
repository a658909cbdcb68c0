/* SPDX-License-Identifier: Apache-2.0 */
/* cli/report.h - pages about training runs. */
#ifndef FV_CLI_REPORT_H
#define FV_CLI_REPORT_H

#include "cli/run_folder.h"
#include "io/html.h"

/* Writes the page of one run: curves, classes, worst mistakes, configuration, machine. */
fv_status fv_report_write_run(const char *path, const fv_run *run, fv_error *err);

/* Writes the page that compares runs: a table, curves, differences of the configurations. */
fv_status fv_report_write_comparison(const char *path, const fv_run *runs, int count,
                                     fv_error *err);

/* ---- Their parts, appended to a page ---- */

/* report_curves.c: a <div class=charts>. Of one run, or of several. */
fv_status fv_report_curves(fv_html *html, const fv_run *run, fv_error *err);
fv_status fv_report_overlay(fv_html *html, const fv_run *runs, int count, fv_error *err);
double fv_report_speed(const fv_run *run); /* mean images/s of training; 0: not known */

/* report_classes.c: the answers of the best model, by class; nothing if there are none. */
fv_status fv_report_classes(fv_html *html, const fv_run *run, fv_error *err);

/* report_differences.c: the keys whose values are not the same in all configurations. */
fv_status fv_report_differences(fv_html *html, const fv_run *runs, int count, fv_error *err);

/* <td> or <th> with somebody's text, or with the name of a class: "3 cat". */
void fv_report_cell(fv_html *html, const char *text);
void fv_report_class(fv_html *html, const fv_run *run, int id);

#endif /* FV_CLI_REPORT_H */
