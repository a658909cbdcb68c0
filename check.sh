#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything that has to hold before a change goes in:
#
#     ./check.sh              installs what is missing, builds into build/ with warnings as errors, runs all tests
#     ./check.sh NAME...      only the tests whose names contain one of these
#
# The tests include the layer check, the format check and every file below configs/. Ends with one line,
# "N passed, N failed, N skipped", and exits 1 if anything failed. Tests that need data which is not there are
# skipped, and say so.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/packages.sh

log=build/Testing/Temporary/LastTest.log
only=$(IFS='|'; echo "$*")

fovea_install build check || true
fovea_can_build || exit 1
mkdir -p build
cmake -S . -B build -DCMAKE_BUILD_TYPE=Release -DFV_WERROR=ON > build/configure.log 2>&1 || {
    tail -n 20 build/configure.log >&2
    echo 'check: CMake stopped, see above (all of it: build/configure.log)' >&2
    exit 1
}
cmake --build build --parallel "$(nproc)" > build/build.log 2>&1 || {
    grep -E -A 5 'error|Error' build/build.log | head -n 60 >&2
    echo 'check: the compiler stopped, see above (all of it: build/build.log)' >&2
    exit 1
}
[ -f build/tests/CTestTestfile.cmake ] || {
    echo 'check: no cmocka, so no tests were built: install it' >&2
    exit 1
}
rm -f $log
status=0
OMP_WAIT_POLICY=passive ctest --test-dir build --output-on-failure --no-tests=error --parallel "$(nproc)" -LE slow \
    ${only:+-R "$only"} || status=1
[ -f $log ] || exit 1
scripts/count_tests.awk $log || status=1
exit $status
