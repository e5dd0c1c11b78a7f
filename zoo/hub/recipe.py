"""How the nets of a zoo were trained, in words: the rows of the card's table of recipes."""

from zoo.dataset.summary import draw_in_words, ranges
from zoo.jobs.estimate import image_counts
from zoo.nets.families import FAMILIES
from zoo.spec.resolve import layout_of, mask_table
from zoo.spec.spec import Recipe, Spec
from zoo.tasks.images import shape_of
from zoo.training.adamw import BETA1, BETA2, EPSILON

INITIAL = {  # as `Blueprint.initial` draws them
    "kaiming_normal": "Kaiming normal, N(0, 2 / fan in)",
    "kaiming_uniform": "Kaiming uniform as PyTorch's default, U(-1, 1) / sqrt(fan in)",
}
MASKS = {  # kind of mask -> which entries it fixes of each output unit, `{}` of them
    "filters": "{} whole input filters of each output channel, {} entries of each output unit",
    "random_entries": "{} random entries of each output unit",
    "densest": "as few entries of each output unit as make all units different",
    "bounded_zeros": "{} or more entries of each output unit, the fewest that make all units different",
}


def recipe(spec: Spec) -> dict[str, str]:
    """What a paper says of the training of these nets, by row: what differs between nets is what is drawn."""
    drawn = {name: draw_in_words(name, ends) for name, ends in ranges(spec).items()}
    return {
        "images": _images(spec),
        "augmentation": _augmentation(spec.recipe),
        "loss": "cross-entropy with label smoothing",
        "optimiser": f"AdamW, betas {BETA1} and {BETA2}, epsilon {EPSILON:g}; weight decay is decoupled",
        "batch": f"{spec.recipe.batch} images; the last partial batch of an epoch is dropped",
        "schedule": _schedule(spec.recipe),
        **{f"`{name}`": text for name, text in drawn.items()},
        "initial weights": INITIAL[_init(spec)] + "; biases U(-1, 1) / sqrt(fan in), norms the identity",
        "fixed weights": _fixed(spec) if FAMILIES[spec.family].masked else "none",
        "precision": _precision(spec),
        "splits": "train {:.0%}, validation {:.0%}, test {:.0%}".format(*spec.split)
        + f", by a hash of (seed {spec.seed}, net)",
    }


def _images(spec: Spec) -> str:
    channels, height, width = shape_of(spec.images)
    train, test = image_counts(spec)
    held_out = round(spec.images.held_out * train)
    kept = f", {held_out:,} held out for validation" * bool(held_out)
    return (
        f"{spec.image_task}, {height} x {width} pixels, {channels} channel{'s' * (channels > 1)}, normalised: "
        f"{train - held_out:,} to train on{kept}, {test:,} for test"
    )


def _augmentation(recipe: Recipe) -> str:
    parts = [
        *["mirrored half of the time"] * recipe.flip,
        *[f"shifted by up to {recipe.shift} pixels"] * bool(recipe.shift),
        *[f"a square of {recipe.cutout} x {recipe.cutout} pixels blanked"] * bool(recipe.cutout),
    ]
    return ", ".join(parts) or "none"


def _schedule(recipe: Recipe) -> str:
    peak = recipe.peak_epoch
    return (
        f"the learning rate rises linearly from 0 to its peak, the column `learning_rate`, over {peak:g} "
        f"epoch{'s' * (peak != 1)}, and falls linearly to 0 at the end of training"
    )


def _init(spec: Spec) -> str:
    return FAMILIES[spec.family].init if spec.net.init == "paper" else spec.net.init


def _fixed(spec: Spec) -> str:
    if spec.net.masks_sha256 is not None:
        return f"mask and values given as files, SHA-256 {spec.net.masks_sha256}"
    layout = layout_of(spec)
    table, has_filters = mask_table(spec.net, layout), any(entry.role == "conv" for entry in layout)
    kind = "random_entries" if spec.net.mask == "filters" and not has_filters else spec.net.mask
    numbers, kappas = ([*dict.fromkeys(values)] for values in zip(*table.values(), strict=True))
    some = " or ".join(map(str, numbers))
    spread = " or ".join(f"{kappa:g}" for kappa in kappas)
    return f"{MASKS[kind].format(some, some)}; at random values of standard deviation {spread}"


def _precision(spec: Spec) -> str:
    products = "float32" if spec.precision == "float32" else "bfloat16 where that is faster, or else float32"
    return f"products in training: {products}; sums, weights and the optimiser's state: float32; stored: {spec.dtype}"
