/* SPDX-License-Identifier: Apache-2.0 */
#include "train/journal.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/events.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, ROW_BYTES = 512, LINE_BYTES = 4224 };

/* A file that is only appended to. */
typedef struct stream {
    char path[PATH_BYTES];
    int fd; /* -1: not open */
} stream;

struct fv_journal {
    stream csv, jsonl, log;
    char events_folder[PATH_BYTES];
    fv_events *events; /* NULL: not wanted */
    atomic_bool failed;
};

static const char HEADER[] =
    "kind,epoch,step,loss,top1,top5,lr,images_per_second,data_wait_share,seconds\n";
static const char *const kinds[] = {
    [FV_ROW_TRAIN] = "train", [FV_ROW_EVAL] = "eval", [FV_ROW_EVAL_AVERAGE] = "eval_ema"
};

const char *fv_row_kind_name(fv_row_kind kind) { return kinds[kind]; }

/* More than a run of years leaves behind. */
static const size_t METRICS_LIMIT = (size_t)1 << 31;

/* ---- Streams ---- */

static fv_status name_stream(stream *s, const char *folder, const char *name, fv_error *err)
{
    s->fd = -1;
    if (fv_path_join(s->path, sizeof(s->path), folder, name)) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%s: the path is too long", folder);
}

static fv_status open_stream(stream *s, int flags, fv_error *err)
{
    s->fd = open(s->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0666);
    if (s->fd >= 0) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%s: cannot open for writing: %s", s->path, strerror(errno));
}

/* All of the text, or nothing. */
static bool append(stream *s, const char *text, size_t bytes)
{
    const off_t end = lseek(s->fd, 0, SEEK_END);
    ssize_t written;
    do written = write(s->fd, text, bytes);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)bytes) return true;
    const int why = written < 0 ? errno : ENOSPC;
    if (written > 0 && end >= 0 && ftruncate(s->fd, end) != 0) {
    } /* cut at the next resume */
    errno = why;
    return false;
}

/* ---- Going on ---- */

/* What a row says of itself, whichever file it is in. */
typedef struct row_key {
    bool eval;
    int64_t step;
} row_key;

static bool parse_kind(const char *kind, row_key *key)
{
    for (size_t i = 0; i < FV_ARRAY_LEN(kinds); i++) {
        if (strcmp(kind, kinds[i]) != 0) continue;
        key->eval = i != FV_ROW_TRAIN;
        return true;
    }
    return false;
}

static bool parse_csv(const char *line, row_key *key)
{
    char kind[16];
    return sscanf(line, "%15[^,],%*[^,],%" SCNd64 ",", kind, &key->step) == 2 &&
           parse_kind(kind, key);
}

static bool parse_jsonl(const char *line, row_key *key)
{
    char kind[16];
    return sscanf(line, "{\"kind\": \"%15[^\"]\", \"epoch\": %*d, \"step\": %" SCNd64 ",", kind,
                  &key->step) == 2 &&
           parse_kind(kind, key);
}

/* Bytes of `text` up to the first line that is torn, is none of ours, or lies beyond the step. */
static size_t kept_bytes(const char *text, size_t header, bool parse(const char *, row_key *),
                         int64_t step, bool evaluated)
{
    size_t kept = header;
    for (const char *end; (end = strchr(text + kept, '\n')) != NULL;) {
        row_key key;
        if (!parse(text + kept, &key) || key.step > step) break;
        if (key.step == step && key.eval && !evaluated) break;
        kept = (size_t)(end - text) + 1;
    }
    return kept;
}

/* Opens a file of metrics and cuts it; `header` may be empty. */
static fv_status continue_stream(stream *s, const char *header, bool parse(const char *, row_key *),
                                 int64_t step, bool evaluated, fv_error *err)
{
    if (!fv_file_exists(s->path)) {
        FV_TRY(open_stream(s, 0, err));
    } else {
        char *text;
        size_t bytes, kept = 0;
        FV_TRY(fv_file_read(s->path, METRICS_LIMIT, &text, &bytes, err));
        if (strncmp(text, header, strlen(header)) == 0)
            kept = kept_bytes(text, strlen(header), parse, step, evaluated);
        fv_free(text);
        FV_TRY(open_stream(s, 0, err));
        if (ftruncate(s->fd, (off_t)kept) != 0)
            return fv_fail(err, FV_ERR_IO, "%s: cannot cut off what is done again: %s", s->path,
                           strerror(errno));
        if (kept) return FV_OK;
    }
    if (append(s, header, strlen(header))) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%s: cannot write: %s", s->path, strerror(errno));
}

fv_status fv_journal_begin(fv_journal *j, bool resume, int64_t step, bool evaluated, fv_error *err)
{
    if (resume) {
        FV_TRY(continue_stream(&j->csv, HEADER, parse_csv, step, evaluated, err));
        return continue_stream(&j->jsonl, "", parse_jsonl, step, evaluated, err);
    }
    FV_TRY(open_stream(&j->csv, O_TRUNC, err));
    FV_TRY(open_stream(&j->jsonl, O_TRUNC, err));
    FV_TRY(fv_events_clear(j->events_folder, err));
    if (append(&j->csv, HEADER, strlen(HEADER))) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%s: cannot write: %s", j->csv.path, strerror(errno));
}

fv_status fv_journal_open_events(fv_journal *j, int64_t step, fv_error *err)
{
    return fv_events_open(&j->events, j->events_folder, step == 0 ? 0 : step + 1, err);
}

/* ---- Writing ---- */

static void report(fv_journal *j, const stream *s)
{
    const int why = errno;
    if (!atomic_exchange(&j->failed, true))
        fv_log(FV_LOG_WARNING, "%s: rows are missing from now on: %s", s->path, strerror(why));
}

static void report_events(fv_journal *j, const fv_error *err)
{
    if (!atomic_exchange(&j->failed, true))
        fv_log(FV_LOG_WARNING, "%s; events are missing from now on", err->message);
}

static void write_events(fv_journal *j, const fv_row *r)
{
    enum { MOST = 5 };
    static const char *const tags[][MOST] = {
        [FV_ROW_TRAIN] = { "train/loss", "train/top1", "train/lr", "train/images_per_second",
                           "train/data_wait_share" },
        [FV_ROW_EVAL] = { "eval/loss", "eval/top1", "eval/top5", "eval/images_per_second" },
        [FV_ROW_EVAL_AVERAGE] = { "eval_ema/loss", "eval_ema/top1", "eval_ema/top5",
                                  "eval_ema/images_per_second" },
    };
    const double third = r->kind == FV_ROW_TRAIN ? r->lr : r->top5;
    const double values[MOST] = { r->loss, r->top1, third, r->images_per_second,
                                  r->data_wait_share };
    fv_scalar scalars[MOST];
    fv_error err;
    int count = 0;
    for (; count < MOST && tags[r->kind][count]; count++)
        scalars[count] = (fv_scalar){ tags[r->kind][count], values[count] };
    if (j->events && fv_events_scalars(j->events, r->step, scalars, count, &err) != FV_OK)
        report_events(j, &err);
}

/* TensorBoard puts together what has the same beginning up to a slash: here a block of layers. */
static void write_tag(char *tag, size_t size, const char *name)
{
    snprintf(tag, size, "%s", name);
    char *dot = strchr(tag, '.');
    if (dot) *dot = '/';
}

void fv_journal_weights(fv_journal *j, const fv_params *params, int64_t step)
{
    for (int i = 0; j->events && i < fv_params_count(params); i++) {
        const fv_param *p = fv_params_at(params, i);
        char tag[256];
        fv_error err;
        write_tag(tag, sizeof(tag), p->name);
        if (fv_events_histogram(j->events, step, tag, p->value, p->count, &err) == FV_OK) continue;
        report_events(j, &err);
        return;
    }
}

void fv_journal_row(fv_journal *j, const fv_row *r)
{
    char text[ROW_BYTES], loss[32] = "null", top1[32] = "", top5[32] = "", wait[32] = "";
    const bool eval = r->kind != FV_ROW_TRAIN;
    if (isfinite(r->loss)) snprintf(loss, sizeof(loss), "%.9g", r->loss);
    if (!isnan(r->top1)) snprintf(top1, sizeof(top1), "%.6f", r->top1);
    if (eval) snprintf(top5, sizeof(top5), "%.6f", r->top5);
    if (!eval) snprintf(wait, sizeof(wait), "%.4f", r->data_wait_share);

    int bytes =
        snprintf(text, sizeof(text), "%s,%" PRId64 ",%" PRId64 ",%.9g,%s,%s,%.9g,%.2f,%s,%.2f\n",
                 kinds[r->kind], r->epoch, r->step, r->loss, top1, top5, r->lr,
                 r->images_per_second, wait, r->seconds);
    if (!append(&j->csv, text, (size_t)bytes)) report(j, &j->csv);

    bytes = snprintf(text, sizeof(text),
                     "{\"kind\": \"%s\", \"epoch\": %" PRId64 ", \"step\": %" PRId64
                     ", \"loss\": %s, \"top1\": %s, \"%s\": %s, \"lr\": %.9g, "
                     "\"images_per_second\": %.2f, \"seconds\": %.2f}\n",
                     kinds[r->kind], r->epoch, r->step, loss, top1[0] ? top1 : "null",
                     eval ? "top5" : "data_wait_share", eval ? top5 : wait, r->lr,
                     r->images_per_second, r->seconds);
    if (!append(&j->jsonl, text, (size_t)bytes)) report(j, &j->jsonl);
    write_events(j, r);
}

void fv_journal_line(fv_journal *j, const char *line)
{
    char text[LINE_BYTES];
    struct tm now;
    const time_t seconds = time(NULL);
    if (!localtime_r(&seconds, &now)) return;
    const size_t stamp = strftime(text, sizeof(text), "[%Y/%m/%d %H:%M:%S] ", &now);
    const int length = snprintf(text + stamp, sizeof(text) - stamp - 1, "%s", line);
    size_t bytes = stamp + (length > 0 ? (size_t)length : 0);
    if (bytes > sizeof(text) - 2) bytes = sizeof(text) - 2;
    text[bytes++] = '\n';
    if (!append(&j->log, text, bytes)) atomic_store(&j->failed, true);
}

bool fv_journal_failed(const fv_journal *j) { return atomic_load(&j->failed); }

/* ---- Opening ---- */

static void close_stream(stream *s)
{
    if (s->fd >= 0) close(s->fd);
}

fv_status fv_journal_open(fv_journal **out, const char *folder, fv_error *err)
{
    FV_TRY(fv_file_make_folder(folder, err));
    fv_journal *j = fv_alloc(sizeof(*j));
    if (!j) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for the journal", folder);
    fv_status status = name_stream(&j->csv, folder, "metrics.csv", err);
    if (status == FV_OK) status = name_stream(&j->jsonl, folder, "metrics.jsonl", err);
    if (status == FV_OK) status = name_stream(&j->log, folder, "train.log", err);
    if (status == FV_OK &&
        !fv_path_join(j->events_folder, sizeof(j->events_folder), folder, "tensorboard"))
        status = fv_fail(err, FV_ERR_IO, "%s: the path is too long", folder);
    if (status == FV_OK) status = open_stream(&j->log, 0, err);
    if (status != FV_OK) {
        fv_free(j);
        return status;
    }
    *out = j;
    return FV_OK;
}

void fv_journal_close(fv_journal *j)
{
    if (!j) return;
    close_stream(&j->csv);
    close_stream(&j->jsonl);
    close_stream(&j->log);
    fv_events_close(j->events);
    fv_free(j);
}
