#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fovea train from outside: killed, interrupted and resumed, it ends with the same weights; exit codes.
# usage: cli_train.sh PROGRAM
fovea=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0
export OMP_WAIT_POLICY=passive # tests may have to share their processors

check() { # check TEXT, after a command that must have succeeded
    if [ $? -eq 0 ]; then echo "ok: $1"; else echo "FAILED: $1"; failures=$((failures + 1)); fi
}

"$fovea" synth "$work/data" --classes 3 --train 60 --val 12 --seed 1 >"$work/out" 2>&1 ||
    { cat "$work/out"; exit 1; }

transforms='{DecodeImage: {to_rgb: True}}'
normalize='{NormalizeImage: {scale: 1.0/255.0, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}}'
cat >"$work/c.yaml" <<END
Global: {epochs: 3, print_batch_step: 3, seed: 5, output_dir: $work/unset}
Arch: {name: MobileNetV2_x0_25}
Optimizer: {name: Momentum, momentum: 0.9, lr: {name: Cosine, learning_rate: 0.02}}
DataLoader:
  Train:
    dataset:
      image_root: $work/data
      cls_label_path: $work/data/train_list.txt
      transform_ops: [$transforms, {RandCropImage: {size: 64}}, $normalize]
    sampler: {batch_size: 8, shuffle: True}
  Eval:
    dataset:
      image_root: $work/data
      cls_label_path: $work/data/val_list.txt
      transform_ops: [$transforms, {ResizeImage: {size: [64, 64]}}, $normalize]
    sampler: {batch_size: 8}
END

train() { # train FOLDER [OPTIONS]
    folder=$1
    shift
    "$fovea" train -c "$work/c.yaml" -o "Global.output_dir=$work/$folder" "$@" >"$work/out" 2>"$work/err"
}
checksum() { grep '^weights: crc32 [0-9a-f]\{8\}$' "$work/out"; }
rows() { cut -d, -f1-7 "$work/$1/metrics.csv"; }
wait_for() { # wait_for FILE, at most a minute
    n=0
    while [ ! -e "$1" ] && [ $n -lt 3000 ]; do sleep 0.02; n=$((n + 1)); done
}

train plain --threads 1 && plain=$(checksum)
check "a run with one thread"
train two --threads 2 -o DataLoader.Train.loader.num_workers=0 && [ "$(checksum)" = "$plain" ]
check "two threads and no workers give the same weights"

"$fovea" train -c "$work/c.yaml" -o "Global.output_dir=$work/killed" -o Global.save_steps=1 \
    >/dev/null 2>&1 &
process=$!
wait_for "$work/killed/latest.h5"
kill -KILL $process
wait $process 2>/dev/null
[ $? -eq 137 ]
check "killed in the middle"
train killed -o "Global.checkpoints=$work/killed/latest" && [ "$(checksum)" = "$plain" ] &&
    [ "$(rows killed)" = "$(rows plain)" ]
check "resumed after the kill, the same weights and rows"

for signal in INT TERM; do
    [ $signal = INT ] && expected=130 || expected=143
    "$fovea" train -c "$work/c.yaml" -o "Global.output_dir=$work/$signal" \
        -o Global.save_steps=1 >/dev/null 2>"$work/err" &
    process=$!
    wait_for "$work/$signal/latest.h5"
    kill -$signal $process
    wait $process
    [ $? -eq $expected ]
    check "SIG$signal ends with $expected"
    command=$(sed -n 's/^to go on: //p' "$work/err")
    [ -n "$command" ] && eval "$command" >"$work/out" 2>/dev/null &&
        [ "$(checksum)" = "$plain" ] && [ "$(rows $signal)" = "$(rows plain)" ]
    check "the command it tells goes on to the same weights and rows"
done

train wrong -o Global.epoch=3
[ $? -eq 2 ]
check "an unknown key ends with 2"
mkdir -p "$work/a/cat" "$work/a/dog" "$work/a/eel" "$work/b/cat" "$work/b/eel"
for folder in a/cat a/dog a/eel b/cat b/eel; do cp "$work"/data/val/*0_* "$work/$folder/"; done
train folders -o DataLoader.Train.dataset.cls_label_path=null -o "DataLoader.Train.dataset.image_root=$work/a" \
    -o DataLoader.Eval.dataset.cls_label_path=null -o "DataLoader.Eval.dataset.image_root=$work/b"
[ $? -eq 2 ] && grep -q 'DataLoader.Eval: class 1 is "eel", but "dog" in DataLoader.Train: both need the same folders' "$work/err"
check "folders with other classes to evaluate end with 2"
train absent -o "DataLoader.Train.dataset.cls_label_path=$work/none.txt"
[ $? -eq 1 ]
check "a missing list ends with 1"
train lost -o "DataLoader.Train.dataset.image_root=$work/nowhere"
[ $? -eq 1 ] && grep -q 'none of the 8 pictures of batch 1 can be read' "$work/err" && [ ! -e "$work/lost/latest.h5" ]
check "a wrong image_root ends with 1 at the first batch"
{ head -n 40 "$work/data/train_list.txt"; seq -f 'absent/%g.jpg 0' 25; } >"$work/holes.txt"
echo 'absent/val.jpg 1' | cat "$work/data/val_list.txt" - >"$work/hole.txt"
train holes -o "DataLoader.Train.dataset.cls_label_path=$work/holes.txt" \
    -o "DataLoader.Eval.dataset.cls_label_path=$work/hole.txt"
[ $? -eq 1 ] && [ "$(grep -c 'unreadable picture' "$work/holes/train.log")" -eq 22 ] &&
    grep -q "25 training pictures could not be read, others took their place: $work/holes/unreadable.txt" "$work/out" &&
    { seq -f "$work/data/absent/%g.jpg" 25; echo "$work/data/absent/val.jpg"; } | sort >"$work/wanted" &&
    sort "$work/holes/unreadable.txt" | cmp - "$work/wanted"
check "of many unreadable pictures the log names twenty, a file all"
train holes -o Global.epochs=1 && [ ! -e "$work/holes/unreadable.txt" ]
check "without unreadable pictures that file goes away"
mv "$work/data" "$work/gone"
train plain -o "Global.checkpoints=$work/INT/latest" -o Global.epochs=4
[ $? -ne 0 ]
check "a data set that went away ends in an error"
mv "$work/gone" "$work/data"
train nan -o Optimizer.lr.learning_rate=900 -o 'Optimizer.regularizer={name: L2, coeff: 1}' \
    -o Global.eval_during_train=False
[ $? -eq 1 ] && grep -q 'first not finite in' "$work/err"
check "a loss that is not finite ends with 1 and names the layer"
[ "$(wc -l <"$work/plain/metrics.jsonl")" -eq "$(($(wc -l <"$work/plain/metrics.csv") - 1))" ]
check "both files of metrics have the same rows"
"$fovea" report "$work/plain" "$work/two" --out "$work/both.html" >"$work/out" 2>"$work/err" &&
    [ "$(tail -n 1 "$work/out")" = "the page is $work/both.html: open it in a browser" ] &&
    grep -q '</html>' "$work/both.html" && grep -q 'Worst mistakes' "$work/plain/report.html"
check "a report of a run, and one of two"
"$fovea" report "$work/data" >/dev/null 2>"$work/err"
[ $? -eq 1 ] && grep -q ': no metrics.csv there: is it the output_dir of a run?' "$work/err"
check "a report of what is no run ends with 1"
grep -q 'weights: crc32' "$work/plain/train.log" && [ -s "$work/plain/best_model.h5" ]
check "the log and the best model are there"

exit $((failures > 0))
