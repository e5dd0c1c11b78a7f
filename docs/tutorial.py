# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
"""
# From images to a leaderboard

A *zoo* is a set of trained nets, a *metanet* reads their weights and predicts something of them, here their accuracy. This
notebook builds two small zoos on scikit-learn's digits, scores two metanets and two baselines on them, and compares what
came out, in under a minute on one core. With some 30 test nets a zoo the numbers are noise; `metazoo demo` takes minutes and
larger zoos.

It is a Python file of cells (jupytext): open it in Jupyter with the jupytext extension, or make it a notebook by
`jupytext --to notebook tutorial.py`. It is no script: workers, which start anew, would run it again.
"""

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import benchmark
import zoo
from benchmark.leaderboard.compare import compare
from benchmark.leaderboard.latex_csv import to_latex
from benchmark.leaderboard.leaderboard import from_records
from benchmark.leaderboard.plots import predicted_against_true
from benchmark.leaderboard.tables import to_markdown
from benchmark.records import records
from benchmark.scoring.score import score
from metanets import Training
from zoo.dataset import plots

plt.switch_backend(plt.get_backend())  # loads Jupyter's, which shows figures below their cells
folder = Path(tempfile.mkdtemp(prefix="metazoo-tutorial-"))

# %% [markdown]
# ## Build
#
# A spec says all that makes a zoo: the family of nets, the images, the ranges that each net's hyper-parameters are drawn
# from. Any field can be replaced. The two families are the same nets but for W-asymmetry: some entries of the weights are
# fixed, so that no two channels can be swapped.

# %%
small = {
    "nets": 120,
    "net.width": 0.125,
    "images.train": 256,
    "images.test": 200,
    "recipe.batch": 64,
    "recipe.epochs": (1, 4),
}
zoos = [
    zoo.build(zoo.load(f"digits-resnet8-{family}", small), folder / "zoos" / family)
    for family in ("standard", "w_asymmetric")
]
opened = [zoo.open(path) for path in zoos]
opened[0].columns.head()

# %% [markdown]
# What there is to predict: the nets' test accuracy.

# %%
plots.histograms(opened, "test_accuracy")

# %% [markdown]
# ## Score
#
# Each metanet is fitted on the zoo's training nets, chosen on its validation nets, and then reads the test nets once. A
# record of each seed stays on disk, with its predictions beside it.

# %%
paths = score(
    zoos,
    ["statnn", "deepsets", "mean", "trees_hyper_parameters"],
    "test_accuracy",
    out=folder / "results",
    seeds=2,
    training=Training(epochs=15, batch=8, learning_rates=(5e-3,)),
)
results = benchmark.load_results(folder / "results")
results[["zoo", "metanet", "seed", "test_r2", "test_tau", "validation_r2", "parameters", "seconds"]].round(3)

# %% [markdown]
# ## The leaderboard
#
# Mean and standard deviation over seeds, the 95% interval over test nets and seeds, and the gain over what the
# hyper-parameters alone tell.

# %%
found = [records.stored(path) for path in paths]
board = from_records(found)
(cells,) = board.boards()
print(to_markdown(cells))

# %% [markdown]
# The same for a paper.

# %%
print(to_latex(cells))

# %% [markdown]
# Is one metanet better than another? So few nets rarely tell.

# %%
for comparison in compare("statnn", "deepsets", folder / "results"):
    print(comparison.sentence())

# %% [markdown]
# Each test net's true accuracy, and what was predicted.

# %%
predicted_against_true(found, zoos)

# %% [markdown]
# ## What came out

# %%
best = cells.sort_values("r2_mean", ascending=False).groupby("family", sort=False).first()
best[["metanet", "r2_mean", "tau_mean", "test_nets"]].round(3)
