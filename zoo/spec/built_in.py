"""The recipes that built-in specs start from: one a task and a scale, the same for every family."""

from typing import Any

from zoo.spec.hidden import Range

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


def _hidden(base: dict[str, Any], *, learning_rate: float, **axes: Range) -> dict[str, Any]:
    """One recipe for all nets, so that hyper-parameters say nothing, and what they differ in instead: see `Hidden`.

    Weight decay is the middle of the paper's range, and without label smoothing the labels are what the axes make them.
    """
    recipe = {
        **base["recipe"],
        "learning_rate": (learning_rate, learning_rate),
        "weight_decay": (0.001, 0.001),
        "label_smoothing": (0.0, 0.0),
        "epochs": (8, 8),
    }
    return {**base, "recipe": {**recipe, "hidden": axes} if axes else recipe, "nets": 512}


CIFAR10_SMALL = _small("cifar10", flip=True)

BASES: dict[str, dict[str, dict[str, Any]]] = {
    "resnet8": {
        "digits": DIGITS,
        "cifar10": PAPER,
        "cifar10-16px": CIFAR10_SMALL,
        "cifar100-16px": _small("cifar100", flip=True),
        "mnist-16px": _small("mnist", flip=False),
        "fashion_mnist-16px": _small("fashion_mnist", flip=True),
        "svhn-16px": _small("svhn", flip=False),
        "digits-labels": _hidden(DIGITS, learning_rate=0.02, wrong_labels=(0.0, 0.9)),
        "digits-size": _hidden(DIGITS, learning_rate=0.02, training_images=(64, 990)),
        "digits-corrupt": _hidden(DIGITS, learning_rate=0.02, corrupted_images=(0.0, 1.0)),
        "digits-imbalance": _hidden(DIGITS, learning_rate=0.02, imbalance=(1.0, 50.0)),
        "digits-seed": _hidden(DIGITS, learning_rate=0.02),
        "cifar10-16px-labels": _hidden(CIFAR10_SMALL, learning_rate=0.005, wrong_labels=(0.0, 0.9)),
        "cifar10-16px-size": _hidden(CIFAR10_SMALL, learning_rate=0.005, training_images=(500, 9000)),
    },
    "mlp": {"digits": DIGITS_MLP, "digits-lmc": DIGITS_LMC},
}
