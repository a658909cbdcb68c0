#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From a clean checkout to a trained network, in a few minutes:
#
#     ./quickstart.sh
#
# installs what is missing, builds build/fovea, draws a data set into quickstart/data, trains the smallest
# MobileNetV2 on it, evaluates it and lets it name a picture. What is there already is not made again;
# ./quickstart.sh --again trains once more. Takes no input.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/packages.sh

config=configs/quickstart/MobileNetV2_x0_25_synth.yaml
data=quickstart/data output=quickstart/output
program=build/fovea

step() { printf '\n== %s\n' "$*"; }
run() { # shows a command, then runs it
    printf '$ %s\n' "$*"
    "$@"
}
fail() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

again=no
case ${1-} in
'') ;;
--again) again=yes ;;
-h | --help)
    sed -n '3,9s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
*)
    echo "quickstart: unknown option $1; there is --again" >&2
    exit 2
    ;;
esac

step 'tools and libraries'
if fovea_install build; then echo 'ready'; fi
fovea_can_build || exit 1

step 'build'
mkdir -p build
if ! cmake -S . -B build -DCMAKE_BUILD_TYPE=Release > build/configure.log 2>&1; then
    tail -n 20 build/configure.log >&2
    fail 'CMake stopped: what is missing is named above (all of it: build/configure.log)'
fi
if ! cmake --build build --target fovea --parallel "$(nproc)" > build/build.log 2>&1; then
    grep -E -A 5 'error|Error' build/build.log | head -n 40 >&2
    fail 'the compiler stopped (all of it: build/build.log)'
fi
echo "$program is up to date"

step 'data'
run $program synth $data

step 'training'
if [ $again = no ] && [ -f $output/finished ] && [ -f $output/best_model.h5 ]; then
    echo "$output/best_model.h5 is there from an earlier run; ./quickstart.sh --again trains once more"
else
    rm -f $output/finished
    resume=()
    [ $again = no ] && [ -f $output/latest.h5 ] && resume=(-o Global.checkpoints=$output/latest.h5)
    run $program train -c $config "${resume[@]}" || fail 'training stopped; ./quickstart.sh goes on where it did'
    touch $output/finished
fi

step 'evaluation'
run $program eval -c $config -o Global.pretrained_model=$output/best_model.h5

step 'one picture'
run $program predict --model MobileNetV2_x0_25 --weights $output/best_model.h5 \
    --topk 3 "$(ls $data/val/*.jpg | head -n 5 | tail -n 1)"

cat << END

== what next
  your own pictures, one folder per class:
      cp configs/finetune/my_pictures.yaml my_pictures.yaml    # and change the lines with an arrow
      $program train -c my_pictures.yaml
  other models:             $program info
  all tests:                ./check.sh
  all commands:             $program help
END
