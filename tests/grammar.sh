#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configurations in PaddleClas's grammar, in grammar/: each is read, says what its first lines
# expect, and trains for an epoch on a few small pictures. usage: grammar.sh PROGRAM
fovea=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0
export OMP_WAIT_POLICY=passive # tests may have to share their processors

"$fovea" synth "$work/data" --classes 3 --train 8 --val 4 --seed 1 >"$work/out" 2>&1 ||
    { cat "$work/out"; exit 1; }

fail() { # fail FILE TEXT
    echo "FAILED: $1: $2"
    cat "$work/out"
    failures=$((failures + 1))
}

# What is told, without the place.
reads() { # reads FILE
    sed -n 's/^#= //p' "$1" >"$work/expected"
    "$fovea" config -c "$1" 2>"$work/err" >"$work/out" || { cat "$work/err"; return 1; }
    sed 's/^[^ ]*:[0-9]*:[0-9]*: //' "$work/err" >"$work/told"
    diff "$work/expected" "$work/told" >"$work/out"
}

trains() { # trains FILE SIZE
    data=DataLoader.Train.dataset eval=DataLoader.Eval.dataset
    rm -rf "$work/run"
    "$fovea" train -c "$1" -o Global.epochs=1 -o Global.output_dir="$work/run" \
        -o Global.print_batch_step=1 -o Arch.class_num=3 $3 \
        -o $data.image_root="$work/data" -o $data.cls_label_path="$work/data/train_list.txt" \
        -o $eval.image_root="$work/data" -o $eval.cls_label_path="$work/data/val_list.txt" \
        -o $data.transform_ops.1.RandCropImage.size="$2" \
        -o $eval.transform_ops.1.ResizeImage.resize_short="$2" \
        -o $eval.transform_ops.2.CropImage.size="$2" \
        -o DataLoader.Train.sampler.batch_size=4 -o DataLoader.Eval.sampler.batch_size=4 \
        >"$work/out" 2>&1 && [ -s "$work/run/latest.h5" ] && [ -s "$work/run/best_model.h5" ]
}

for file in grammar/*.yaml; do
    size=64 more=
    case $file in
    *googlenet*) size=189 ;;
    *inception*) size=107 ;;
    *distillation*) more='-o Arch.models.0.Teacher.class_num=3 -o Arch.models.1.Student.class_num=3' ;;
    esac
    reads "$file" || { fail "$file" "is not read as expected"; continue; }
    trains "$file" $size "$more" || { fail "$file" "does not train"; continue; }
    echo "ok: $file"
done
exit $failures
