"""Write torch_trajectories.json: what torch.optim and its schedulers do on a small least-squares problem.

A script, not a test: run `python tests/torch_trajectories.py` where torch is installed. The tests read the file, so
that they need no torch. Layout:

    torch      the version that wrote it
    problem    X (8 x 3), y, start, learning_rate, batch_size, n_steps; the loss is the mean of (x·w - y)^2 over a
               batch, batches in order, no intercept
    rules      [{rule, options, l2, clip, weights}]: the weights after every step; options as reference_rules.py names
               them; l2 is weight_decay, and clip the max_norm of clip_grad_norm_, null for none; where the model is
               not the weights (ASGD's ax), also models
    schedules  [{schedule, options, rates}]: the learning rate of every epoch, from learning_rate; a step an epoch
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

OPTIM = torch.optim
ADAM = {"beta1": 0.8, "beta2": 0.99, "eps": 0.001}
ADAMS = {"betas": (0.8, 0.99), "eps": 0.001}

RULES = [  # (fastgd's name and options, torch's class and options)
    ("sgd", {}, OPTIM.SGD, {}),
    ("sgd", {}, OPTIM.SGD, {"weight_decay": 0.5}),
    ("momentum", {"momentum": 0.9}, OPTIM.SGD, {"momentum": 0.9}),
    ("momentum", {"momentum": 0.5}, OPTIM.SGD, {"momentum": 0.5, "weight_decay": 0.5}),
    ("nesterov", {"momentum": 0.9}, OPTIM.SGD, {"momentum": 0.9, "nesterov": True}),
    ("nesterov", {"momentum": 0.5}, OPTIM.SGD, {"momentum": 0.5, "nesterov": True, "weight_decay": 0.5}),
    ("adagrad", {}, OPTIM.Adagrad, {}),
    ("adagrad", {"eps": 0.01}, OPTIM.Adagrad, {"eps": 0.01, "weight_decay": 0.5}),
    ("rmsprop", {}, OPTIM.RMSprop, {}),
    ("rmsprop", {"rho": 0.9, "eps": 0.001}, OPTIM.RMSprop, {"alpha": 0.9, "eps": 0.001, "weight_decay": 0.5}),
    ("adam", {}, OPTIM.Adam, {}),
    ("adam", ADAM, OPTIM.Adam, {**ADAMS, "weight_decay": 0.5}),
    ("adamw", {}, OPTIM.AdamW, {"weight_decay": 0.0}),
    ("adamw", ADAM, OPTIM.AdamW, {**ADAMS, "weight_decay": 0.5}),
    ("amsgrad", {}, OPTIM.Adam, {"amsgrad": True}),
    ("amsgrad", ADAM, OPTIM.Adam, {**ADAMS, "amsgrad": True, "weight_decay": 0.5}),
    ("nadam", {}, OPTIM.NAdam, {}),
    ("nadam", {**ADAM, "momentum_decay": 0.1}, OPTIM.NAdam, {**ADAMS, "momentum_decay": 0.1, "weight_decay": 0.5}),
    ("adadelta", {}, OPTIM.Adadelta, {}),
    ("adadelta", {"rho": 0.5, "eps": 0.001}, OPTIM.Adadelta, {"rho": 0.5, "eps": 0.001, "weight_decay": 0.5}),
    ("asgd", {}, OPTIM.ASGD, {"t0": 0}),
    ("asgd", {"lambd": 0.5, "alpha": 0.6, "t0": 7}, OPTIM.ASGD,
     {"lambd": 0.5, "alpha": 0.6, "t0": 7, "weight_decay": 0.25}),
]  # fmt: skip
CLIPPED = [  # the same, and max_norm
    ("sgd", {}, OPTIM.SGD, {"weight_decay": 0.5}, 1.0),
    ("momentum", {"momentum": 0.9}, OPTIM.SGD, {"momentum": 0.9}, 0.5),
]


def warmed_up(optimizer, warmup, T_max):
    """CosineAnnealingLR after LinearLR."""
    line = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=warmup)
    wave = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=T_max, eta_min=0.1 * LEARNING_RATE)
    return torch.optim.lr_scheduler.SequentialLR(optimizer, [line, wave], milestones=[warmup])


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
    ("cosine", {"epochs": 30, "final": 0.1, "warmup": 5}, warmed_up, {"warmup": 5, "T_max": 25}),
    # Step k of N, whose peak is at step pct_start N - 1 and whose end at N - 1, is here epoch k of N - 1.
    (
        "onecycle",
        {"epochs": 29, "pct_start": 8 / 29},
        torch.optim.lr_scheduler.OneCycleLR,
        {"max_lr": LEARNING_RATE, "total_steps": 30},
    ),
    (
        "onecycle",
        {"epochs": 39, "pct_start": 19 / 39, "div_factor": 10.0, "final_div_factor": 100.0},
        torch.optim.lr_scheduler.OneCycleLR,
        {"max_lr": LEARNING_RATE, "total_steps": 40, "pct_start": 0.5, "div_factor": 10.0, "final_div_factor": 100.0},
    ),
]


def trajectory(name, ours, optimizer_class, options, max_norm=None):
    """The weights after every step, and how they came about."""
    X_all, y_all = torch.tensor(X), torch.tensor(Y)
    w = torch.tensor(START, requires_grad=True)
    optimizer = optimizer_class([w], lr=LEARNING_RATE, **options)
    weights, models = [], []
    for k in range(N_STEPS):
        first = k * BATCH_SIZE % len(X)
        batch = slice(first, first + BATCH_SIZE)
        optimizer.zero_grad()
        ((X_all[batch] @ w - y_all[batch]) ** 2).mean().backward()
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_([w], max_norm)
        optimizer.step()
        weights.append(w.tolist())
        models.append(optimizer.state[w].get("ax", w).tolist())
    # ASGD's lambd is a decay like weight_decay, and goes by that name here.
    l2 = options.get("weight_decay", 0.0) + optimizer.defaults.get("lambd", 0.0)
    record = {"rule": name, "options": ours, "l2": l2, "clip": max_norm, "weights": weights}
    return record if models == weights else {**record, "models": models}


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
    torch.set_default_dtype(torch.float64)  # of the optimizers' own scalars too
    rules = [trajectory(*case) for case in RULES + CLIPPED]
    schedules = [
        {"schedule": name, "options": ours, "rates": rates(cls, theirs)} for name, ours, cls, theirs in SCHEDULERS
    ]
    text = f'{{\n "torch": "{torch.__version__}",\n "problem": {json.dumps(problem)},\n'
    text += f' "rules": {lines(rules)},\n "schedules": {lines(schedules)}\n}}\n'
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
