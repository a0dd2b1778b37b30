#!/usr/bin/env python3
"""Trains a network of one hidden layer on a table, by gradient descent with momentum, in plain Python: what
comes after the sweep. It stands for your training.

usage: train.py TABLE.csv TARGET_COLUMN LEARNING_RATE
"""

import csv
import math
import random
import sys

HIDDEN, BATCH, MOMENTUM, EPOCHS = 16, 32, 0.9, 40


def read(path, target):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    classes = sorted({row[target] for row in rows})
    return [([float(value) for name, value in row.items() if name != target], classes.index(row[target]))
            for row in rows], len(classes)


def layer(inputs, outputs):
    """Rows of weights with the bias last, as PyTorch draws them."""
    bound = 1 / math.sqrt(inputs)
    return [[random.uniform(-bound, bound) for _ in range(inputs + 1)] for _ in range(outputs)]


def forward(first, second, inputs):
    hidden = [max(0.0, row[-1] + sum(map(float.__mul__, row, inputs))) for row in first]
    scores = [row[-1] + sum(map(float.__mul__, row, hidden)) for row in second]
    powers = [math.exp(score - max(scores)) for score in scores]
    return hidden, [power / sum(powers) for power in powers]


def add_gradients(first, second, inputs, label, of_first, of_second):
    """Adds the gradients of the cross-entropy of one sample; gives its loss."""
    hidden, chances = forward(first, second, inputs)
    of_scores = [chance - (number == label) for number, chance in enumerate(chances)]
    of_hidden = [sum(error * row[unit] for error, row in zip(of_scores, second)) if value > 0 else 0.0
                 for unit, value in enumerate(hidden)]
    for sums, errors, values in [(of_second, of_scores, hidden), (of_first, of_hidden, inputs)]:
        for row, error in zip(sums, errors):
            for column, value in enumerate([*values, 1.0]):
                row[column] += error * value
    return -math.log(max(chances[label], 1e-300))


def main(path, target, lr):
    random.seed(0)
    samples, classes = read(path, target)
    layers = [layer(len(samples[0][0]), HIDDEN), layer(HIDDEN, classes)]
    velocities = [[[0.0] * len(row) for row in rows] for rows in layers]
    for epoch in range(1, EPOCHS + 1):
        random.shuffle(samples)
        loss = 0.0
        for start in range(0, len(samples), BATCH):
            batch = samples[start:start + BATCH]
            gradients = [[[0.0] * len(row) for row in rows] for rows in layers]
            loss += sum(add_gradients(*layers, *sample, *gradients) for sample in batch)
            for rows, moving, sums in zip(layers, velocities, gradients):
                for row, velocity, gradient in zip(rows, moving, sums):
                    for column, value in enumerate(gradient):
                        velocity[column] = MOMENTUM * velocity[column] + value / len(batch)
                        row[column] -= lr * velocity[column]
        if epoch % 10 == 0:
            print(f"epoch {epoch}: loss {loss / len(samples):.3f}")
    right = sum(max(range(classes), key=forward(*layers, inputs)[1].__getitem__) == label for inputs, label in samples)
    print(f"{right} of {len(samples)} right")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
