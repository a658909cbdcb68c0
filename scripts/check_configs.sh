#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Does the program read every configuration of ours? check_configs.sh build/fovea
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")/.."
bad=0 count=0
while IFS= read -r -d '' file; do
    count=$((count + 1))
    message=$("$program" config -c "$file" 2>&1 > /dev/null) && [ -z "$message" ] && continue
    echo "$file: ${message:-refused}"
    bad=1
done < <(find configs -name '*.yaml' -print0)
echo "$count configurations"
[ $count -gt 0 ] && exit $bad
