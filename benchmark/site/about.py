"""What a metanet of the suite is, in two sentences, with its paper and its file: from its docstrings."""

import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from metanets.baselines import fit_mean, fit_ridge, fit_trees
from metanets.consensus import fit_consensus
from metanets.deepsets import DeepSets
from metanets.dmc.dmc import DMC
from metanets.forests import fit_extra_trees
from metanets.gaussian_process import fit_gaussian_process
from metanets.graphs.dense import DenseNeuralGraph
from metanets.hybrid import fit_hybrid
from metanets.inputs.canonical import split
from metanets.mlp import MLP
from metanets.probe_gen import ProbeGen
from metanets.statnn import StatNN
from metanets.structured.mp_gmn import MPGMN
from metanets.structured.mp_scale_gmn import MPScaleGMN
from metanets.structured.nfn import NFN
from metanets.structured.scale_gmn import ScaleGMN
from metanets.structured.set_of_channels import SetOfChannels
from metanets.table import of_the_suite

ROOT = Path(__file__).parents[2]
CODE: dict[str, Callable[..., object]] = {  # what says what a metanet is; a line for each in METANETS
    "mlp": MLP,
    "dmc": DMC,
    "deepsets": DeepSets,
    "statnn": StatNN,
    "probe": fit_extra_trees,
    "probe_and_weights": fit_extra_trees,
    "probe_and_channels": fit_extra_trees,
    "probe_gen": ProbeGen,
    "consensus": fit_consensus,
    "consensus_and_weights": fit_consensus,
    "trees_invariant": fit_extra_trees,
    "trees_channels": fit_extra_trees,
    "mp_gmn": MPGMN,
    "mp_scale_gmn": MPScaleGMN,
    "scale_gmn": ScaleGMN,
    "nfn": NFN,
    "nfn_np": NFN,
    "set_of_channels": SetOfChannels,
    "hybrid": fit_hybrid,
    "neural_graph": DenseNeuralGraph,
    "mean": fit_mean,
    "trees_hyper_parameters": fit_trees,
    "gp_hyper_parameters": fit_gaussian_process,
    "trees_statistics": fit_trees,
    "ridge": fit_ridge,
    "trees_distance": fit_trees,
}


@dataclass(frozen=True)
class About:
    """What a metanet is, in two sentences; what it reads, by name and in words; arXiv papers, id -> address; its file."""

    what: str
    reads: tuple[str, str]
    papers: dict[str, str]
    file: str


def about(name: str) -> About | None:
    """What is known of a metanet of the suite, with or without a mark; None of any other."""
    metanet, code = of_the_suite(name), CODE.get(split(name)[0])
    if metanet is None or code is None:
        return None
    module, read = sys.modules[code.__module__], metanet.input
    of_file = module.__doc__ or ""
    told = f"{of_file}\n{code.__doc__ or ''}"
    lines = [_first_line(of_file)] * isinstance(code, type) + [_first_line(code.__doc__)]
    function = read.pair if read.only_pairs and read.pair else read.read
    words = f"{' and '.join(read.parts)}, side by side" if read.parts else _first_line(function.__doc__)
    reads = metanet.reads if isinstance(metanet.reads, str) else ""
    papers = {one: f"https://arxiv.org/abs/{one}" for one in re.findall(r"arXiv[: ](\d{4}\.\d{4,5})", told)}
    file = Path(module.__file__ or "").resolve().relative_to(ROOT)
    return About(" ".join(lines).replace("`", ""), (reads, words.replace("`", "")), papers, file.as_posix())


def _first_line(text: str | None) -> str:
    """The first line of a docstring, which is a sentence or two."""
    return inspect.cleandoc(text or "").split("\n\n")[0].replace("\n", " ").strip()
