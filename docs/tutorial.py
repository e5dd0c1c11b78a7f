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
# What can weights tell?

A *zoo* is a set of trained nets, a *metanet* reads their weights and predicts something of them, here their test accuracy.
This notebook asks three questions of the zoos that `make demo` (or `metazoo demo`) leaves in `data/demo`: whether weights
can be read at all, whether that says more than how the nets were trained, and what changes with few nets. It starts in the
folder where `data/demo` is, and takes a minute on one core.

It is a Python file of cells (jupytext): open it in Jupyter with the jupytext extension, or make it a notebook by
`jupytext --to notebook tutorial.py`. It is no script: workers, which start anew, would run it again.
"""

# %%
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.linear_model import Ridge

import metazoo as mz
from benchmark.leaderboard.plots import sample_efficiency
from zoo.dataset import plots

plt.switch_backend(plt.get_backend())  # loads Jupyter's, which shows figures below their cells
demo = Path("data/demo")
standard, asymmetric = zoos = [mz.open(folder) for folder in sorted(demo.glob("zoos/*"))]
print(standard)

# %% [markdown]
# ## The nets
#
# Both zoos have small ResNets on scikit-learn's digits, each with its own learning rate, weight decay, number of epochs and
# label smoothing. Net i of one zoo has those of net i of the other, and the same split. The second zoo is *W-asymmetric*:
# some entries of the weights are fixed, the same ones in all nets, so that no two channels can be swapped.

# %%
standard.columns[["split", "test_accuracy", *standard.hyper_parameters]].head()

# %% [markdown]
# What there is to predict:

# %%
plots.histograms(zoos, "test_accuracy")

# %% [markdown]
# ## Can weights be read?
#
# The simplest way: a linear regression on the vector of a net's weights, fitted on the training nets. R² is 1 for a perfect
# prediction, and 0 for one that knows the mean alone. It is of the validation nets: the test nets are for the end.

# %%
for z in zoos:
    ridge = Ridge(alpha=1000).fit(*z.xy("train", "test_accuracy"))
    print(f"{z.spec.net.family}: R² {ridge.score(*z.xy('validation', 'test_accuracy')):.2f}")

# %% [markdown]
# Next to nothing of standard nets, and most of W-asymmetric ones. The channels of a standard net can stand in any order: two
# nets that compute the same have quite different vectors. Where some entries are fixed, vectors can be compared.

# %% [markdown]
# ## More than the recipe?
#
# How a net was trained says much of how good it is, without a look at its weights. So the demo has scored metanets beside
# two baselines that read the hyper-parameters alone: trees, and a Gaussian process, which is the better one here.

# %%
board = mz.leaderboard(demo / "results")
board.cells.pivot(index="metanet", columns="family", values="r2_mean").sort_values("standard", ascending=False).round(3)

# %% [markdown]
# Is `statnn`, which reads statistics of the weights, better than the recipe? And `probe_and_weights`, which also runs the
# nets on noise? On the same test nets, with an interval:

# %%
for metanet in ("statnn", "probe_and_weights"):
    for comparison in mz.compare(metanet, "gp_hyper_parameters", demo / "results"):
        print(comparison.sentence(), end="\n\n")

# %% [markdown]
# ## With few nets
#
# From 256 training nets the recipe is learnt well. What if there are only 16, or 32?

# %%
few = mz.score(
    zoos,
    ["probe_and_weights", "trees_channels", "trees_hyper_parameters", "gp_hyper_parameters"],
    out=demo / "few",
    baselines=False,
    seeds=3,
    train_nets=[16, 32, 64],
)
sample_efficiency(few.board.cells)

# %% [markdown]
# How far each is above the Gaussian process, with the 95% interval over test nets and seeds:

# %%
cells = few.board.cells.query("not baseline")
low, high = (cells[name].map("{:+.2f}".format) for name in ("gain_low", "gain_high"))
cells = cells.assign(gain=cells["gain"].map("{:+.2f}".format) + " [" + low + ", " + high + "]")
cells.pivot(index=["family", "train_nets"], columns="metanet", values="gain")

# %% [markdown]
# What weights add hangs on the baseline. Over trees both would gain from 16 nets on, since trees need many examples; a
# smooth function of the recipe needs few, and over that only `probe_and_weights` gains, on standard nets. So a score needs
# the best baseline beside it that there is, and tasks on which the recipe cannot know it all.
#
# ## Where to go on
#
# A metanet of your own stands in the place of a name above: `mz.score(zoos, Mine)`, where `Mine` is an `nn.Module` or a
# regressor of scikit-learn's kind. `metazoo specs` lists zoos to build, and `metazoo metanets` what else reads weights.
