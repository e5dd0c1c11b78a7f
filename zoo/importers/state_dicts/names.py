"""What the names of a table's columns say: those of ours that mean the same, and which are hyper-parameters."""

import re

from zoo.messages import plain_column

ALIASES = {  # other names of columns -> ours, which mean the same
    "lr": "learning_rate",
    "wd": "weight_decay",
    "test_acc": "test_accuracy",
    "train_acc": "train_accuracy",
    "val_acc": "validation_accuracy",
    "val_accuracy": "validation_accuracy",
    "val_loss": "validation_loss",
    "generalization_gap": "generalisation_gap",
    "index": "source_index",
    "unnamed_0": "source_index",  # what pandas calls a first column without a name
}
NAMES = """
    lr learningrate baselr initlr initiallr maxlr peaklr minlr lrmin lrmax lrdecay gamma lrschedule lrscheduler scheduler
    schedule warmup warmupsteps warmupepochs stepsize milestones
    wd weightdecay l1 l2 l1reg l2reg l1regularization l2regularization regularization reg lambda
    batch batchsize bs trainbatchsize microbatchsize epoch epochs numepochs nepochs maxepochs trainepochs trainingepochs
    steps numsteps nsteps maxsteps trainsteps iterations niterations numiterations maxiterations
    dropout dropoutrate dropoutp droppath droppathrate labelsmoothing mixup mixupalpha cutmix cutmixalpha cutout
    augmentation augment dataaugmentation flip crop trainfraction trainfrac datafraction fractionoftrainingset ntrain
    optimizer optimiser optim opt momentum nesterov beta1 beta2 betas eps epsilon adameps rho sam samrho gradclip
    gradclipping clipgrad clipnorm maxgradnorm gradientclipping
    init inittype initstd initscale initgain initializer initialiser initialization initialisation winit binit weightinit
    biasinit activation activationfunction act nonlinearity nlin
    width depth hidden hiddendim hiddensize hiddenunits hiddenwidth hiddenlayers numlayers nlayers layers numhidden nhidden
    widthmultiplier channels numchannels nchannels filters numfilters kernelsize normalization normalisation
    batchnorm usebn numheads nheads patchsize embeddim modeldim dmodel mlpratio
"""  # the field's names of what is known before training; case and separators do not count
HYPER_PARAMETERS = frozenset(NAMES.split())
GROUP = re.compile(r"(config|configs|cfg|hparams?|hyper_?parameters?|hp|params|args)\s*[/.:]+", re.IGNORECASE)
SEED = re.compile(r"(^|[^a-z])seed([^a-z]|$)", re.IGNORECASE)


def our_name(column: str) -> str:
    """Our name of a column: small letters and underscores, and ours where it means the same."""
    plain = plain_column(column)
    return ALIASES.get(plain, plain)


def is_hyper_parameter(column: str, *, numbers: bool) -> bool:
    """Whether a column's name says that it is known before training, and no seed.

    Below `config/` and the like, as experiment trackers write it, all numbers are.
    """
    if SEED.search(column):
        return False
    names = {_bare(column), _bare(re.split("[/.:]+", column)[-1])}
    names |= {name.removeprefix(group) for name in names for group in ("config", "hparam", "hparams", "hp")}
    return bool(names & HYPER_PARAMETERS) or (numbers and bool(GROUP.match(column)))


def _bare(text: str) -> str:
    return re.sub("[^a-z0-9]", "", text.lower())
