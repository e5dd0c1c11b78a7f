"""A synthetic Small CNN Zoo in the exact published format: no net of it was trained, and its accuracies are made up."""

from pathlib import Path

import numpy as np
import pandas as pd

STEPS = (0, 1, 2, 3, 20, 40, 60, 80, 86)
LAYOUT = """varname,start_idx,end_idx,shape
sequential/conv2d/bias:0,0,16,"(16,)"
sequential/conv2d/kernel:0,16,160,"(3, 3, 1, 16)"
sequential/conv2d_1/bias:0,160,176,"(16,)"
sequential/conv2d_1/kernel:0,176,2480,"(3, 3, 16, 16)"
sequential/conv2d_2/bias:0,2480,2496,"(16,)"
sequential/conv2d_2/kernel:0,2496,4800,"(3, 3, 16, 16)"
sequential/dense/bias:0,4800,4810,"(10,)"
sequential/dense/kernel:0,4810,4970,"(16, 10)"
"""
CONFIG = {  # column -> the values that runs draw from; the published ones, as far as they are words
    "activation": ("relu", "tanh"),
    "b_init": ("zeros",),
    "dataset": ("cifar10",),
    "dnn_architecture": ("cnn",),
    "dropout": (0.0, 0.1, 0.3),
    "epochs": (86,),
    "epochs_between_checkpoints": (20,),
    "init_std": (0.01, 0.2),
    "l2reg": (1e-6, 1e-4),
    "learning_rate": (0.001, 0.02),
    "num_layers": (3,),
    "num_units": (16,),
    "optimizer": ("adam", "rmsprop", "sgd"),
    "random_seed": (42,),
    "train_fraction": (0.1, 0.25, 0.5, 1.0),
    "w_init": ("glorot_normal", "he_normal", "orthogonal"),
}


def metrics(runs: int, steps: tuple[int, ...] = STEPS, *, seed: int = 0) -> pd.DataFrame:
    """The rows of metrics.csv.gz, run by run, their checkpoints sorted as texts, as those of published files."""
    rng = np.random.default_rng(seed)
    names = sorted(str(1000 + 7 * run) for run in range(runs))
    config = {f"config.{name}": rng.choice(values, runs) for name, values in CONFIG.items()}
    order = sorted(steps, key=str)
    at = np.tile(order, runs)
    skill = np.repeat(rng.random(runs), len(order)) * (0.2 + at / 108)
    noise = rng.normal(0, 0.01, (4, len(at)))
    return pd.DataFrame({name: np.repeat(values, len(order)) for name, values in config.items()}).assign(
        modeldir=np.repeat([f"/synthetic/cifar10/{name}" for name in names], len(order)),
        step=at,
        test_accuracy=np.clip(0.1 + 0.6 * skill + noise[0], 0, 1),
        test_loss=2.3 - skill + noise[1],
        train_accuracy=np.clip(0.1 + 0.7 * skill + noise[2], 0, 1),
        train_loss=2.3 - 1.2 * skill + noise[3],
    )


def weights(frame: pd.DataFrame, width: int = 4970, *, seed: int = 0) -> np.ndarray:
    """Untrained weights of each row, larger where the accuracy is higher, so that a metanet can learn something."""
    rng = np.random.default_rng(seed)
    scale = 0.05 + 0.3 * frame["test_accuracy"].to_numpy(np.float32)
    return rng.standard_normal((len(frame), width), np.float32) * scale[:, None]


def write(folder: Path, frame: pd.DataFrame, rows: np.ndarray | None = None, *, layout: str = LAYOUT) -> Path:
    """The three files under their published names."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "weights.npy", weights(frame) if rows is None else rows)
    frame.to_csv(folder / "metrics.csv.gz", index=False)
    (folder / "layout.csv").write_text(layout)
    return folder


def run(row: np.ndarray, images: np.ndarray, activation: str) -> np.ndarray:
    """The logits of a net [image, class] by plain loops over a row of the source, in the source's own layout.

    Images are [image, height, width, channel]; the architecture is that of the authors' train_network.py.
    """
    act = {"relu": lambda x: np.maximum(x, 0), "tanh": np.tanh}[activation]
    row, maps = row.astype(np.float64), images.astype(np.float64)
    for bias, kernel, shape in ((0, 16, (3, 3, 1, 16)), (160, 176, (3, 3, 16, 16)), (2480, 2496, (3, 3, 16, 16))):
        filters = row[kernel : kernel + np.prod(shape)].reshape(shape)
        out = (maps.shape[1] - 3) // 2 + 1
        after = np.empty((len(maps), out, out, 16))
        for y in range(out):
            for x in range(out):
                patch = maps[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]  # image height width in
                after[:, y, x] = np.einsum("nhwi,hwio->no", patch, filters) + row[bias : bias + 16]
        maps = act(after)
    return maps.mean(axis=(1, 2)) @ row[4810:4970].reshape(16, 10) + row[4800:4810]
