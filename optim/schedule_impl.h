/* SPDX-License-Identifier: Apache-2.0 */
/* optim/schedule_impl.h - the settings of a schedule, apart from where they were read. */
#ifndef FV_OPTIM_SCHEDULE_IMPL_H
#define FV_OPTIM_SCHEDULE_IMPL_H

#include "optim/schedule.h"

/* The members carry the names of the keys. Each kind looks at its own; all of them look at
 * by_epoch and the two of the warm-up. */
typedef struct fv_schedule_settings {
    const char *name;       /* "Cosine" and so on; borrowed during the call only */
    double learning_rate;   /* negative: not given. Piecewise: then the two lists count */
    bool by_epoch;          /* the time is the epoch and not the step */
    double warmup_epoch;    /* epochs, also a part of one */
    double warmup_start_lr; /* rate of the first step of the warm-up */
    double eta_min;         /* Cosine */
    double end_lr, power;   /* Linear */
    bool cycle;             /* Linear: start again, each time D longer */
    double step_size;       /* Step: epochs */
    double gamma;           /* Step, MultiStepDecay: factor */
    fv_floats decay_epochs; /* Piecewise: epochs, ascending */
    fv_floats values;       /* Piecewise: rates, one more than decay_epochs */
    fv_floats milestones;   /* MultiStepDecay: epochs, ascending */
    int base_batch_size;    /* pictures of a step that the rates are for; 0: of any */
    int last_epoch;         /* -1: schedules start at the beginning; the resumed step is given */
} fv_schedule_settings;

/* The message of an error begins with the key. */
fv_status fv_schedule_create_from(fv_schedule **out, const fv_schedule_settings *settings,
                                  int epochs, int64_t steps_per_epoch, fv_error *err);

#endif /* FV_OPTIM_SCHEDULE_IMPL_H */
