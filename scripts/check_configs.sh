#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Does the program read every configuration of ours? check_configs.sh build/fovea
# Arch.pretrained is the user's to give.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")/.."
bad=0 good=0
while IFS= read -r -d '' file; do
    if message=$("$program" config -c "$file" -o Arch.pretrained=null 2>&1 > /dev/null) && [ -z "$message" ]; then
        good=$((good + 1))
    else
        echo "$file: ${message:-refused}"
        bad=$((bad + 1))
    fi
done < <(find configs -name '*.yaml' -print0)
echo "$good configurations read, $bad bad"
[ $good -gt 0 ] && [ $bad -eq 0 ]
