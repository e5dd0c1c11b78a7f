"""The suite's metanets by the names of classes: each makes an `Estimator`, and takes what that takes but the name."""

from functools import partial

from metanets.estimator import Estimator

MLP = partial(Estimator, "mlp")
DMC = partial(Estimator, "dmc")
DeepSets = partial(Estimator, "deepsets")
StatNN = partial(Estimator, "statnn")
Probe = partial(Estimator, "probe")
ProbeAndWeights = partial(Estimator, "probe_and_weights")
ProbeAndChannels = partial(Estimator, "probe_and_channels")
ProbeGen = partial(Estimator, "probe_gen")
Consensus = partial(Estimator, "consensus")
ConsensusAndWeights = partial(Estimator, "consensus_and_weights")
TreesInvariant = partial(Estimator, "trees_invariant")
TreesChannels = partial(Estimator, "trees_channels")
MPGMN = partial(Estimator, "mp_gmn")
MPScaleGMN = partial(Estimator, "mp_scale_gmn")
ScaleGMN = partial(Estimator, "scale_gmn")
NFN = partial(Estimator, "nfn")
NFNNP = partial(Estimator, "nfn_np")
SetOfChannels = partial(Estimator, "set_of_channels")
Hybrid = partial(Estimator, "hybrid")
NeuralGraph = partial(Estimator, "neural_graph")
Mean = partial(Estimator, "mean")
TreesHyperParameters = partial(Estimator, "trees_hyper_parameters")
GPHyperParameters = partial(Estimator, "gp_hyper_parameters")
TreesStatistics = partial(Estimator, "trees_statistics")
Ridge = partial(Estimator, "ridge")
