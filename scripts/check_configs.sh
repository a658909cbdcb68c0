#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Does the program read every configuration of ours? check_configs.sh build/fovea
# Recipes with MixupOperator must be refused for that and nothing else: it is not there, and leaving it out
# silently would be another recipe. Arch.pretrained is the user's to give.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")/.."
bad=0 good=0 refused=0
while IFS= read -r -d '' file; do
    if message=$("$program" config -c "$file" -o Arch.pretrained=null 2>&1 > /dev/null) && [ -z "$message" ]; then
        good=$((good + 1))
    elif [[ $message == *'MixupOperator: operations on batches are not supported'* ]]; then
        refused=$((refused + 1))
    else
        echo "$file: ${message:-refused}"
        bad=$((bad + 1))
    fi
done < <(find configs -name '*.yaml' -print0)
echo "$good configurations read, $refused refused for Mixup, $bad bad"
[ $good -gt 0 ] && [ $bad -eq 0 ]
