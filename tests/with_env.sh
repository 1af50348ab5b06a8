#!/bin/sh
# SPDX-License-Identifier: MIT
# with_env.sh NAME=VALUE... PROGRAM [ARGS...]: what perch_test's variants run.
exec env "$@"
