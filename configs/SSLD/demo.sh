#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# All of demo.yaml: configs/SSLD/demo.sh [SEED], from the folder above configs/. Writes to ssld/.
# FOVEA=path/to/fovea names the program.
set -euo pipefail
program=${FOVEA:-build/fovea}
config=$(dirname "$0")/demo.yaml
seed=${1:-1}
labelled=1000 # of 6000 pictures

train() { # FOLDER OVERRIDES...
    local folder=$1
    shift
    printf '\n== %s\n' "$folder"
    "$program" train -c "$config" -o Global.seed="$seed" -o Global.output_dir="./ssld/$folder" "$@"
}
# One model, with the labels: what replaces the DistillationModel and its loss.
alone() { # MODEL
    printf '%s\n' -o "Arch={name: $1, class_num: 10}" -o 'Loss.Train=[CELoss: {weight: 1.0, epsilon: 0.1}]' \
        -o 'Metric.Train=[TopkAcc: {topk: [1, 5]}]' -o Optimizer.regularizer.coeff=1e-4 \
        -o DataLoader.Train.dataset.cls_label_path=./ssld/data/labelled_list.txt
}

"$program" synth ssld/data --train 6000 --val 2000
head -n $labelled ssld/data/train_list.txt > ssld/data/labelled_list.txt
{
    cat ssld/data/labelled_list.txt
    tail -n +$((labelled + 1)) ssld/data/train_list.txt | sed 's/ [0-9]*$//'
} > ssld/data/all_list.txt

# As many pictures are looked at as in stage 1, so that the student alone has no less time to learn.
mapfile -t teacher < <(alone MobileNetV2)
mapfile -t student < <(alone MobileNetV2_x0_25)
train teacher "${teacher[@]}" -o Global.epochs=60
train alone "${student[@]}" -o Global.epochs=120
train stage1
# The labelled pictures, from the weights of stage 1, at a hundredth of its rate.
train stage2 -o Global.pretrained_model=./ssld/stage1/best_model.h5 -o Global.epochs=10 \
    -o Optimizer.lr.learning_rate=0.0005 -o Optimizer.lr.warmup_epoch=0 \
    -o DataLoader.Train.dataset.cls_label_path=./ssld/data/labelled_list.txt
# Only the classifier, at 80 instead of 64 pixels, with the transforms of evaluation.
train fix "${student[@]}" -o Global.pretrained_model=./ssld/stage2/best_model.h5 -o Global.epochs=10 \
    -o 'Global.freeze=["[!o]*"]' -o Global.freeze_statistics=True \
    -o Optimizer.lr.learning_rate=0.0005 -o Optimizer.lr.warmup_epoch=0 \
    -o 'DataLoader.Train.dataset.transform_ops.1={ResizeImage: {resize_short: 80}}' \
    -o 'DataLoader.Train.dataset.transform_ops.2={CropImage: {size: 80}}' \
    -o DataLoader.Eval.dataset.transform_ops.1.ResizeImage.resize_short=80 \
    -o DataLoader.Eval.dataset.transform_ops.2.CropImage.size=80

printf '\n== best Top1 of each\n'
for run in teacher alone stage1 stage2 fix; do
    printf '%-8s %s\n' $run "$(grep -h 'best Top1' ssld/$run/train.log | tail -n 1)"
done
