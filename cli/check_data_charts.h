/* SPDX-License-Identifier: Apache-2.0 */
/* cli/check_data_charts.h - the histograms on the page of `fovea check-data`. */
#ifndef FV_CLI_CHECK_DATA_CHARTS_H
#define FV_CLI_CHECK_DATA_CHARTS_H

#include "cli/check_data.h"
#include "io/chart.h"

/* Shares of the readable pictures of each part by size, aspect ratio and bytes, and the number of
 * pictures of each class. */
void fv_check_add_charts(fv_html *html, const fv_check_report *report);

#endif /* FV_CLI_CHECK_DATA_CHARTS_H */
