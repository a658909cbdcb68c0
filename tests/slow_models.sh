#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A model learns the synthetic data set with its own config, scaled down by -o alone: over 90 % Top1.
# usage: slow_models.sh PROGRAM CONFIGS MODEL [FOLDER]
# FOLDER keeps the data and the run; without it both are removed. The recipes are told in docs/models.md.
fovea=$1
configs=$2
model=$3
work=$4
if [ -z "$work" ]; then
    work=$(mktemp -d) || exit 1
    trap 'rm -rf "$work"' EXIT
fi
export OMP_WAIT_POLICY=passive # tests may have to share their processors

# size: of the pictures, pixels; the rate is for batches of 32
case $model in
GoogLeNet) family=Inception size=192 epochs=15 rate=0.01 ;;
InceptionV3) family=Inception size=80 epochs=15 rate=0.01 ;;
Xception41) family=Xception size=64 epochs=15 rate=0.02 ;;
MobileNetV2_x0_25) family=MobileNetV2 size=80 epochs=20 rate=0.025 ;;
Res2Net50_26w_4s) family=Res2Net size=64 epochs=60 rate=0.006 ;;
DLA46_c) family=DLA size=64 epochs=20 rate=0.02 ;;
*)
    echo "no recipe for $model"
    exit 2
    ;;
esac

"$fovea" synth "$work/data" >"$work/out" || exit 1
common() { # common COMMAND [OPTIONS]
    command=$1
    shift
    "$fovea" "$command" -c "$configs/$family/$model.yaml" \
        -o Arch.class_num=10 \
        -o "DataLoader.Train.dataset.image_root=$work/data" \
        -o "DataLoader.Train.dataset.cls_label_path=$work/data/train_list.txt" \
        -o "DataLoader.Train.dataset.transform_ops.1.RandCropImage.size=$size" \
        -o "DataLoader.Train.dataset.transform_ops.1.RandCropImage.scale=[0.6, 1.0]" \
        -o DataLoader.Train.dataset.batch_transform_ops=null \
        -o DataLoader.Train.sampler.batch_size=32 \
        -o "DataLoader.Eval.dataset.image_root=$work/data" \
        -o "DataLoader.Eval.dataset.cls_label_path=$work/data/val_list.txt" \
        -o "DataLoader.Eval.dataset.transform_ops.1.ResizeImage.resize_short=$size" \
        -o "DataLoader.Eval.dataset.transform_ops.2.CropImage.size=$size" \
        -o "Optimizer.lr={name: Cosine, learning_rate: $rate, warmup_epoch: 2}" \
        -o "Global.epochs=$epochs" -o "Global.output_dir=$work/$model" "$@"
}

common train >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
common eval -o "Global.pretrained_model=$work/$model/latest" --json "$work/result.json" >"$work/out" 2>&1 ||
    { cat "$work/out"; exit 1; }
top1=$(sed -n 's/.*"top1": *\([0-9.e-]*\).*/\1/p' "$work/result.json")
echo "$model: Top1 $top1 after $epochs epochs at $size x $size"
awk -v top1="$top1" 'BEGIN { exit !(top1 > 0.9) }'
