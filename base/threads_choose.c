/* SPDX-License-Identifier: Apache-2.0 */
#include "base/compiler.h"
#include "base/threads_impl.h"

#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_THREADS = 1024, PATH_BYTES = 4096 };

/* ---- Cgroups ----------------------------------------------------------------- */

/* First line of a small file, without its newline. */
static bool first_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    if (!file) return false;
    const bool read = fgets(line, size, file);
    fclose(file);
    if (read) line[strcspn(line, "\n")] = '\0';
    return read;
}

static double cpus(double quota, double period)
{
    return quota > 0.0 && period > 0.0 && isfinite(quota / period) ? quota / period : 0.0;
}

/* CPUs from "max 100000" or "250000 100000" (quota and period in microseconds); 0: no limit. */
static double quota_v2(const char *folder)
{
    char path[PATH_BYTES + 16], line[128];
    double quota, period;
    snprintf(path, sizeof(path), "%s/cpu.max", folder);
    if (!first_line(path, line, sizeof(line))) return 0.0;
    if (sscanf(line, "%lf %lf", &quota, &period) != 2) return 0.0;
    return cpus(quota, period);
}

/* The same from two files; a quota of -1 is no limit. */
static double quota_v1(const char *folder)
{
    char path[PATH_BYTES + 32], line[128];
    snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", folder);
    if (!first_line(path, line, sizeof(line))) return 0.0;
    const double quota = strtod(line, NULL);
    snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", folder);
    if (!first_line(path, line, sizeof(line))) return 0.0;
    const double period = strtod(line, NULL);
    return cpus(quota, period);
}

/* The smallest quota from base/group up to base. In a container the path in /proc may be the
 * host's, which does not exist below base here; the walk then still ends at base. */
static double smallest_quota(const char *base, const char *group, double (*quota)(const char *))
{
    char folder[PATH_BYTES];
    const int length = snprintf(folder, sizeof(folder), "%s%s", base, group);
    if (length < 0 || length >= (int)sizeof(folder)) return 0.0;

    double smallest = 0.0;
    for (;;) {
        const double here = quota(folder);
        if (here > 0.0 && (smallest == 0.0 || here < smallest)) smallest = here;
        char *slash = strrchr(folder, '/');
        if (!slash || slash < folder + strlen(base)) return smallest;
        *slash = '\0';
    }
}

static bool lists_cpu(const char *controllers)
{
    for (const char *p = controllers; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == 3 && memcmp(p, "cpu", 3) == 0) return true;
    return false;
}

/* Lines of /proc/self/cgroup are "0::/path" for version 2, "4:cpu,cpuacct:/path" for 1. */
double fv_threads_quota(const char *root, int *version)
{
    char path[PATH_BYTES], line[PATH_BYTES];
    double found = 0.0;
    *version = 0;
    snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (!file) return 0.0;
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *controllers++ = *group++ = '\0';

        double quota = 0.0;
        const bool v2 = strcmp(line, "0") == 0 && !*controllers;
        if (v2) {
            snprintf(path, sizeof(path), "%s/sys/fs/cgroup", root);
            quota = smallest_quota(path, group, quota_v2);
        } else if (lists_cpu(controllers)) {
            snprintf(path, sizeof(path), "%s/sys/fs/cgroup/%s", root, controllers);
            quota = smallest_quota(path, group, quota_v1);
            if (quota == 0.0) { /* mounted as "cpu" alone, with a link or without */
                snprintf(path, sizeof(path), "%s/sys/fs/cgroup/cpu", root);
                quota = smallest_quota(path, group, quota_v1);
            }
        }
        if (quota > 0.0 && (found == 0.0 || quota < found)) {
            found = quota;
            *version = v2 ? 2 : 1;
        }
    }
    fclose(file);
    return found;
}

/* ---- The decision ------------------------------------------------------------ */

/* What the machine gives to this process. */
static void usable(const fv_threads_facts *f, fv_threads_choice *out)
{
    const int affinity = f->affinity > 0 ? fv_min(f->affinity, f->online) : f->online;
    const double rounded = f->quota > 0.0 ? fmax(1.0, ceil(f->quota - 1e-9)) : 0.0;

    if (rounded > 0.0 && rounded <= affinity) {
        out->count = (int)rounded;
        snprintf(out->reason, sizeof(out->reason), "cgroup v%d quota: %.3g CPUs of %d",
                 f->quota_version, f->quota, f->online);
    } else if (affinity < f->online) {
        out->count = affinity;
        snprintf(out->reason, sizeof(out->reason), "affinity mask: %d of %d CPUs", affinity,
                 f->online);
    } else {
        out->count = f->online;
        snprintf(out->reason, sizeof(out->reason), "online CPUs");
    }
}

void fv_threads_decide(const fv_threads_facts *f, fv_threads_choice *out)
{
    usable(f, out);
    const char *source = "--threads";
    long wanted = f->requested;
    if (wanted <= 0 && f->openmp) {
        source = "OMP_NUM_THREADS";
        wanted = strtol(f->openmp, NULL, 10); /* of "4,2" for nested levels the first counts */
    }
    if (wanted > 0) {
        char limit[sizeof(out->reason)];
        memcpy(limit, out->reason, sizeof(limit));
        const int count = (int)(wanted < MOST_THREADS ? wanted : MOST_THREADS);
        if (count > out->count)
            snprintf(out->reason, sizeof(out->reason), "%s, more than the %d usable (%.64s)",
                     source, out->count, limit);
        else
            snprintf(out->reason, sizeof(out->reason), "%s", source);
        out->count = count;
    }
    out->count = fv_max(1, fv_min(out->count, MOST_THREADS));
}

static int affinity_count(void)
{
#if defined(__linux__)
    /* Machines with more CPUs than cpu_set_t holds need a wider mask; 8192 is what Linux allows. */
    for (int cpus = 1024; cpus <= 8192; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set) return 0;
        const size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        const bool got = sched_getaffinity(0, size, set) == 0;
        const int count = got ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (got) return count;
    }
#endif
    return 0;
}

void fv_threads_choose(int requested, fv_threads_choice *out)
{
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    fv_threads_facts facts = {
        .requested = requested,
        .openmp = getenv("OMP_NUM_THREADS"),
        .affinity = affinity_count(),
        .online = online > 0 && online <= 65536 ? (int)online : 1,
    };
    facts.quota = fv_threads_quota("", &facts.quota_version);
    fv_threads_decide(&facts, out);
}
