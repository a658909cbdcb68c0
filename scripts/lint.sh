#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over all sources, or those given. Slow; not part of check.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
fovea_install build check lint || true
fovea_can_build || exit 1
cmake -S . -B build/lint -DCMAKE_BUILD_TYPE=Debug -DCMAKE_EXPORT_COMPILE_COMMANDS=ON > /dev/null
if [ $# -eq 0 ]; then
    # Vector code is compiled twice, with flags of its own; what it shares with scalar code is seen there.
    mapfile -d '' files < <(find . \( -name 'build*' -o -name x86 \) -prune -o -name '*.c' -print0)
else
    files=("$@")
fi
printf '%s\0' "${files[@]}" | xargs -0 -n 4 -P "$(nproc)" clang-tidy -p build/lint --quiet \
    2> >(grep -v ' warnings\? generated\.$' >&2)
