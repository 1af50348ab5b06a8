/* SPDX-License-Identifier: MIT */
/* config.h - the settings in force: the program's, else the environment's, else the defaults. */
#ifndef PERCH_CORE_CONFIG_H
#define PERCH_CORE_CONFIG_H

#include <perch/config.h>

#include "numa/policy.h"

/*
 * Fill *out. given: the program's settings, or NULL. 0, or -EINVAL with a line
 * on stderr that names the field or the variable, and the value. `procs` and
 * `workers` stay 0 when nobody set them.
 */
int config_read(const struct perch_config *given, struct perch_config *out);

/* It runs already by those settings: a line on stderr for each that is wanted otherwise. */
void config_tell_others(const struct perch_config *wanted, const struct perch_config *in_force);

/* Whom workers rob, by that and PERCH_STEAL_DELAY. 0, or -EINVAL in the same way. */
int config_policy(const struct perch_config *config, struct policy *policy);

#endif
