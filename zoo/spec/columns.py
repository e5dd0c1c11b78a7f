"""The columns of a zoo: what is drawn for each net, what is measured of it, which splits there are."""

HYPER_PARAMETERS = {  # column -> what it is
    "learning_rate": "peak of the learning rate's triangle",
    "weight_decay": "decoupled weight decay of AdamW",
    "label_smoothing": "share of the label spread evenly over the classes, in training only",
    "epochs": "passes over the training images",
}

LOGARITHMIC = ("learning_rate", "weight_decay", "training_images", "imbalance")  # drawn log-uniformly; others uniformly
WHOLE = ("epochs", "training_images")  # drawn as whole numbers

TARGETS = {  # column -> what it is; measured on clean images, without label smoothing
    "test_accuracy": "share of the test images classified rightly",
    "test_loss": "mean cross-entropy on the test images, nats",
    "validation_accuracy": "share of the held-out training images classified rightly; NaN where none are held out",
    "validation_loss": "mean cross-entropy on the held-out training images, nats",
    "train_accuracy": "share of the training images classified rightly, not augmented",
    "train_loss": "mean cross-entropy on the training images, nats",
    "generalisation_gap": "train_accuracy - test_accuracy",
}

HIDDEN = {  # column -> what it is; only of zoos whose recipe draws it. See `zoo.spec.hidden`
    "wrong_labels": "share of the training images seen whose label is another class, in training only",
    "training_images": "distinct training images that the net saw; the number of steps does not depend on it",
    "corrupted_images": "share of the training images seen under Gaussian noise",
    "imbalance": "training images seen of the most frequent class for one of the least, before rounding",
}
_ALL = "of all of them, seen or not, clean and with their true labels"
BESIDE_HIDDEN = {name: f"{TARGETS[name]}; {_ALL}" for name in ("train_accuracy", "train_loss")}  # where an axis is drawn

SPLITS = ("train", "validation", "test")
