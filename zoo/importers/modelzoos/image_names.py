"""Which images nets were trained on, as far as the names of folders and files tell."""

import re
from collections.abc import Iterable

IMAGES = {  # what a name has in it, not within a word (KMNIST is no MNIST) -> image task; the first that is found
    "tiny[-_]?imagenet": "tiny_imagenet",
    "cifar[-_]?100": "cifar100",
    "cifar[-_]?10": "cifar10",
    "f(ashion)?[-_]?mnist": "fashion_mnist",
    "mnist": "mnist",
    "svhn": "svhn",
    "usps": "usps",
    "stl[-_]?10": "stl10",
    "eurosat": "eurosat",
}


def named_in(texts: Iterable[str]) -> str:
    """The image task that the first of these texts names that names one, else `unknown`."""
    for text in texts:
        for pattern, task in IMAGES.items():
            if re.search(f"(?<![a-z]){pattern}", text.lower()):
                return task
    return "unknown"
