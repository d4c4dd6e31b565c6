"""Write torch_trajectories.json: what torch.optim and its schedulers do on a small least-squares problem.

A script, not a test: run `python tests/torch_trajectories.py` where torch is installed. The tests read the file, so
that they need no torch. Layout:

    torch      the version that wrote it
    problem    X (8 x 3), y, start, learning_rate, batch_size, n_steps; the loss is the mean of (x·w - y)^2 over a
               batch, batches in order, no intercept
    rules      [{rule, options, weights}]: the weights after every step; options as reference.py names them
    schedules  [{schedule, options, rates}]: the learning rate of every epoch, from learning_rate
"""

import json
from pathlib import Path

import torch

X = [
    [0.9, -0.4, 0.3],
    [-1.2, 0.8, 0.5],
    [0.4, 1.1, -0.7],
    [1.5, 0.2, 0.6],
    [-0.3, -0.9, 1.3],
    [0.7, 0.5, -1.1],
    [-0.8, 1.4, 0.2],
    [0.1, -0.6, -0.5],
]
Y = [1.7, -2.1, -0.4, 2.6, 0.3, 0.9, -2.5, 0.6]
START = [0.5, -0.25, 1.0]
LEARNING_RATE, BATCH_SIZE, N_STEPS, N_EPOCHS = 0.05, 4, 30, 30

RULES = [  # (fastgd's name and options, torch's class and options)
    ("sgd", {}, torch.optim.SGD, {}),
    ("momentum", {"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    ("momentum", {"momentum": 0.5}, torch.optim.SGD, {"momentum": 0.5}),
    ("nesterov", {"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    ("nesterov", {"momentum": 0.5}, torch.optim.SGD, {"momentum": 0.5, "nesterov": True}),
    ("adagrad", {}, torch.optim.Adagrad, {}),
    ("adagrad", {"eps": 0.01}, torch.optim.Adagrad, {"eps": 0.01}),
    ("rmsprop", {}, torch.optim.RMSprop, {}),
    ("rmsprop", {"alpha": 0.9, "eps": 0.001}, torch.optim.RMSprop, {"alpha": 0.9, "eps": 0.001}),
    ("adam", {}, torch.optim.Adam, {}),
    ("adam", {"beta1": 0.8, "beta2": 0.99, "eps": 0.001}, torch.optim.Adam, {"betas": (0.8, 0.99), "eps": 0.001}),
]

SCHEDULERS = [
    ("step", {"factor": 0.5, "every": 10}, torch.optim.lr_scheduler.StepLR, {"gamma": 0.5, "step_size": 10}),
    ("step", {"factor": 0.1, "every": 7}, torch.optim.lr_scheduler.StepLR, {"gamma": 0.1, "step_size": 7}),
    ("exponential", {"decay": 0.95}, torch.optim.lr_scheduler.ExponentialLR, {"gamma": 0.95}),
    ("exponential", {"decay": 0.8}, torch.optim.lr_scheduler.ExponentialLR, {"gamma": 0.8}),
    ("cosine", {"epochs": 100, "final": 0.0}, torch.optim.lr_scheduler.CosineAnnealingLR, {"T_max": 100}),
    (
        "cosine",
        {"epochs": 30, "final": 0.1},
        torch.optim.lr_scheduler.CosineAnnealingLR,
        {"T_max": 30, "eta_min": 0.1 * LEARNING_RATE},
    ),
]


def trajectory(optimizer_class, options):
    """The weights after every step."""
    X_all, y_all = torch.tensor(X, dtype=torch.float64), torch.tensor(Y, dtype=torch.float64)
    w = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = optimizer_class([w], lr=LEARNING_RATE, **options)
    weights = []
    for k in range(N_STEPS):
        first = k * BATCH_SIZE % len(X)
        batch = slice(first, first + BATCH_SIZE)
        optimizer.zero_grad()
        ((X_all[batch] @ w - y_all[batch]) ** 2).mean().backward()
        optimizer.step()
        weights.append(w.tolist())
    return weights


def rates(scheduler_class, options):
    """The learning rate of every epoch."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=LEARNING_RATE)
    scheduler = scheduler_class(optimizer, **options)
    values = []
    for _ in range(N_EPOCHS):
        values.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return values


def lines(records):
    """A JSON list with one record a line, so that a change shows as a line."""
    return "[\n  " + ",\n  ".join(json.dumps(record) for record in records) + "\n ]"


def main():
    problem = {"X": X, "y": Y, "start": START, "learning_rate": LEARNING_RATE, "batch_size": BATCH_SIZE}
    problem["n_steps"] = N_STEPS
    rules = [{"rule": name, "options": ours, "weights": trajectory(cls, theirs)} for name, ours, cls, theirs in RULES]
    schedules = [
        {"schedule": name, "options": ours, "rates": rates(cls, theirs)} for name, ours, cls, theirs in SCHEDULERS
    ]
    text = f'{{\n "torch": "{torch.__version__}",\n "problem": {json.dumps(problem)},\n'
    text += f' "rules": {lines(rules)},\n "schedules": {lines(schedules)}\n}}\n'
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
