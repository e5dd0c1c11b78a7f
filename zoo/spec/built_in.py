"""The recipes that built-in specs start from: one a task and a scale, the same for every family."""

from typing import Any

# Digits are learnt within a few steps. Few epochs, narrow nets and the same wide learning rates give both main
# families an interquartile range of test accuracy over .25 with the same rows (measured; README).
DIGITS: dict[str, Any] = {
    "images": {"task": "digits", "train": 1100, "test": 697},
    "net": {"width": 0.25, "n_fix": 2, "kappa": 1.0},
    "recipe": {
        "learning_rate": (0.001, 0.1),
        "epochs": (1, 8),
        "peak_epoch": 1,
        "batch": 64,
        "flip": False,
        "shift": 0,
        "cutout": 0,
    },
    "nets": 1000,
}
PAPER = {"images": {"task": "cifar10", "held_out": 0.0}}


def _small(task: str, *, flip: bool) -> dict[str, Any]:
    """A task at 16 x 16 and width 0.5 for small machines: a net trains in under a minute on one core."""
    recipe = {"epochs": (4, 12), "peak_epoch": 1, "batch": 128, "flip": flip, "shift": 1, "cutout": 2}
    recipe["learning_rate"] = (0.0005, 0.05)
    return {"images": {"task": task, "size": 16, "train": 10_000}, "net": {"width": 0.5}, "recipe": recipe, "nets": 1000}


# 64-32-32-10 trains in a twentieth of a second. The rates, as for ResNet8, spread the accuracies widely (measured; README).
DIGITS_MLP = {
    **DIGITS,
    "net": {"hidden": (32, 32), "kappa": 1.0},
    "recipe": {**DIGITS["recipe"], "learning_rate": (0.0005, 0.05), "epochs": (1, 16)},
}

# The perceptron of the linear mode connectivity of Lim et al. 2024 (arXiv 2405.20231), for digits: all nets have one recipe,
# so that pairs differ in chance alone, and all families start alike. Fixed entries are the paper's, but 16 of the 64 inputs.
DIGITS_LMC: dict[str, Any] = {
    "images": {"task": "digits", "train": 1437, "test": 360, "held_out": 0.0},
    "net": {
        "hidden": (512, 512, 512),
        "norm": True,
        "init": "kaiming_uniform",
        "mask": "random_entries",
        "n_fix": (16, 64, 64, 256),
        "kappa": (1.0, 1.0, 0.5, 0.25),
    },
    "recipe": {
        **DIGITS["recipe"],
        "learning_rate": (0.001, 0.001),
        "weight_decay": (0.03, 0.03),
        "label_smoothing": (0.0, 0.0),
        "epochs": (40, 40),
    },
    "nets": 12,
}

BASES: dict[str, dict[str, dict[str, Any]]] = {
    "resnet8": {
        "digits": DIGITS,
        "cifar10": PAPER,
        "cifar10-16px": _small("cifar10", flip=True),
        "cifar100-16px": _small("cifar100", flip=True),
        "mnist-16px": _small("mnist", flip=False),
        "fashion_mnist-16px": _small("fashion_mnist", flip=True),
        "svhn-16px": _small("svhn", flip=False),
    },
    "mlp": {"digits": DIGITS_MLP, "digits-lmc": DIGITS_LMC},
}
