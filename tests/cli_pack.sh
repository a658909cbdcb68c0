#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same pictures from a list, a table, tar archives and a packed file give the same weights; packing from outside.
# usage: cli_pack.sh PROGRAM
fovea=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0
export OMP_WAIT_POLICY=passive # tests may have to share their processors
cd "$work" || exit 1

check() { # check TEXT, after a command that must have succeeded
    if [ $? -eq 0 ]; then echo "ok: $1"; else echo "FAILED: $1"; cat out err; failures=$((failures + 1)); fi
}

"$fovea" synth data --classes 3 --train 60 --val 12 --seed 1 >out 2>&1 || { cat out; exit 1; }

# The list's pictures in its order: as a table with names, and as archives of 25.
awk 'BEGIN { print "file,kind" } { split("c a b", names, " "); print "\"" $1 "\"," names[$2 + 1] }' \
    data/train_list.txt >table.csv
printf '0 c\n1 a\n2 b\n' >names.txt
mkdir cut
n=0
while read -r name label; do
    shard=$((n / 25)) key=$(printf '%05d' $n)
    mkdir -p cut/$shard
    cp "data/$name" cut/$shard/$key.jpg && echo "$label" >cut/$shard/$key.cls
    n=$((n + 1))
done <data/train_list.txt
for shard in 0 1 2; do (cd cut/$shard && tar --format=pax -cf ../../s-$shard.tar -- *); done

decode='{DecodeImage: {to_rgb: True}}'
normalize='{NormalizeImage: {scale: 1.0/255.0, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}}'
config() { # config FILE KEYS: trains on what the keys say
    cat >"$1" <<END
Global: {epochs: 2, print_batch_step: 3, seed: 5, output_dir: unset, class_num: 3}
Arch: {name: MobileNetV2_x0_25}
Optimizer: {name: Momentum, momentum: 0.9, lr: {name: Cosine, learning_rate: 0.02}}
DataLoader:
  Train:
    dataset:
      $2
      transform_ops: [$decode, {RandCropImage: {size: 64}}, $normalize]
    sampler: {batch_size: 8, shuffle: True}
  Eval:
    dataset:
      $2
      transform_ops: [$decode, {ResizeImage: {size: [64, 64]}}, $normalize]
    sampler: {batch_size: 8}
END
}
config list.yaml 'image_root: data
      cls_label_path: data/train_list.txt'
config table.yaml 'name: CsvDataset
      image_root: data
      cls_label_path: table.csv
      path_column: file
      label_column: kind
      label_list: names.txt'
config tar.yaml 'name: TarDataset
      shards: "s-{0..2}.tar"'
config packed.yaml 'name: PackedDataset
      file: packed.h5'

train() { # train CONFIG [OPTIONS]; all to one folder, whose name the weights do not depend on
    name=$1
    shift
    rm -rf unset
    "$fovea" train -c "$name.yaml" "$@" >out 2>err
}
checksum() { grep '^weights: crc32 [0-9a-f]\{8\}$' out; }

train list --threads 1 && plain=$(checksum)
check "training from a list"
"$fovea" pack packed.h5 data/train_list.txt --root data >out 2>err &&
    grep -q '^packed.h5: 60 pictures of 3 classes, ' out
check "packing the list"
for name in table tar packed; do
    train $name --threads 2 && [ "$(checksum)" = "$plain" ]
    check "$name: the same weights"
done
train packed --threads 2 -o Global.epochs=1 && "$fovea" train -c packed.yaml -o Global.checkpoints=unset/latest.h5 \
    >out 2>err
check "resuming from a packed file"

"$fovea" pack again.h5 's-{0..2}.tar' >out 2>err && "$fovea" pack table.h5 -c table.yaml >out 2>err &&
    "$fovea" pack both.h5 again.h5 >out 2>err && cmp again.h5 both.h5
check "packing archives, a table of a configuration, a packed file"

for name in list tar packed; do
    train $name -o Global.epochs=1 >/dev/null || echo "no training from $name"
    "$fovea" eval -c $name.yaml -o Global.pretrained_model=unset/best_model.h5 --json eval.$name >out 2>err &&
        grep -v second eval.$name >only.$name && cmp only.list only.$name
    check "eval from $name"
    "$fovea" bench loader -c $name.yaml >out 2>err && "$fovea" show-batch -c $name.yaml --out batch.$name >out 2>err &&
        cmp batch.list batch.$name
    check "bench loader, show-batch from $name"
done

for paths in 's-{0..2}.tar' packed.h5 'table.csv --root data' 'data/train_list.txt --root data'; do
    # shellcheck disable=SC2086
    [ "$paths" != 'table.csv --root data' ] || sed -i 's/file,kind/path,label/' table.csv
    "$fovea" predict --weights unset/best_model.h5 --json - $paths 2>err | grep -v '"file"' >out
    [ -f first ] || mv out first
    [ ! -f out ] || cmp first out
    check "predict $paths"
done

split='-o DataLoader.Train.dataset.split.val_fraction=0.25 -o DataLoader.Eval.dataset.split.val_fraction=0.25'
train packed $split -o Global.epochs=1 && grep -q '^data: 45 pictures to train on, 15 to evaluate, 3 classes' err out
check "a split"

printf 'x' >data/broken.jpg
sed 's/ [0-9]*$//' data/train_list.txt | head -n 3 | sed 's/$/ 1/' >broken.txt
echo 'broken.jpg 2' >>broken.txt
"$fovea" pack broken.h5 broken.txt --root data --json broken.json >out 2>err
[ $? -eq 1 ] && grep -q 'unreadable picture, left out: data/broken.jpg: ' err && grep -q '"unreadable": 1' broken.json &&
    [ -f broken.h5 ] && grep -q 'broken.h5: 1 of 4 pictures could not be read and are not in it' err
check "a picture that cannot be read is named"
"$fovea" pack one.h5 >out 2>err
[ $? -eq 2 ] && grep -q 'which pictures? Name PATH, or a configuration with -c' err
check "nothing to pack is wrong usage"
ls ./*.tmp >out 2>err && failures=$((failures + 1))
exit $failures
