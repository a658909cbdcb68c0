/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the two below, and of the sink */
static fv_log_fn *sink;
static void *sink_ctx;

void fv_log_sink(fv_log_fn *fn, void *ctx)
{
    pthread_mutex_lock(&lock);
    sink = fn;
    sink_ctx = ctx;
    pthread_mutex_unlock(&lock);
}

void fv_log(fv_log_level level, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    /* Names of files and keys come from outside and may hold anything. */
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < ' ' || *p == '\x7f') *p = ' ';

    pthread_mutex_lock(&lock);
    if (sink) sink(sink_ctx, level, line);
    pthread_mutex_unlock(&lock);
}
