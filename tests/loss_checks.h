/* SPDX-License-Identifier: Apache-2.0 */
/* tests/loss_checks.h - the checks of operators that losses are made of, for test_ops.c. */
#ifndef FV_TESTS_LOSS_CHECKS_H
#define FV_TESTS_LOSS_CHECKS_H

#include "gradcheck.h"

extern const gradcheck check_correlation[], check_cross_entropy[], check_decoupled_kl[],
    check_jeffreys[], check_softmax[], check_weighted_soft[], check_class_weighted[];

#endif /* FV_TESTS_LOSS_CHECKS_H */
