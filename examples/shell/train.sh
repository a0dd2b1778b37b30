#!/usr/bin/env bash
# Finds a learning rate, then trains with it. More options of `coordinator` may follow, such as --max-lr 0.1.
set -euo pipefail
old=0.001 # What it was trained with so far.

code=0
lr=$(coordinator --quiet --out out --workers 2 --data iris.csv --target-column species --hidden-sizes 16 \
  --optimizer sgd --momentum 0.9 --batch-size 32 --num-training 300 "$@") || code=$?
case $code in
  0) echo "train.sh: found learning rate $lr" >&2 ;;
  3) echo "train.sh: no usable learning rate, see out/plot.png; training with the old one, $old" >&2
     lr=$old ;;
  *) exit "$code" ;; # Wrong input, a failure or Ctrl-C, which coordinator has told.
esac
python3 train.py iris.csv species "$lr"
