/* SPDX-License-Identifier: Apache-2.0 */
/* cli/runtime.h - the OpenMP runtime as this program wants it. */
#ifndef FV_CLI_RUNTIME_H
#define FV_CLI_RUNTIME_H

/* Threads that wait for each other spin for a moment and then sleep. GNU's runtime would spin for
 * milliseconds, and where others use the processors too (a loader's workers, a busy server, a
 * container's quota) that time is taken from the thread that is waited for. It reads its
 * environment before main() begins, so the program starts itself anew, once, with
 * GOMP_SPINCOUNT set, lower where others are running; a user who set it, or OMP_WAIT_POLICY, is
 * left alone. Returns if there is nothing to do or if it cannot be done. */
void fv_runtime_limit_spinning(char **argv);

#endif /* FV_CLI_RUNTIME_H */
