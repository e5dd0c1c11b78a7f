"""The columns of a zoo: what is drawn for each net, what is measured of it, which splits there are."""

HYPER_PARAMETERS = {  # column -> what it is
    "learning_rate": "peak of the learning rate's triangle",
    "weight_decay": "decoupled weight decay of AdamW",
    "label_smoothing": "share of the label spread evenly over the classes, in training only",
    "epochs": "passes over the training images",
}

TARGETS = {  # column -> what it is; measured on clean images, without label smoothing
    "test_accuracy": "share of the test images classified rightly",
    "test_loss": "mean cross-entropy on the test images, nats",
    "validation_accuracy": "share of the held-out training images classified rightly; NaN where none are held out",
    "validation_loss": "mean cross-entropy on the held-out training images, nats",
    "train_accuracy": "share of the training images classified rightly, not augmented",
    "train_loss": "mean cross-entropy on the training images, nats",
    "generalisation_gap": "train_accuracy - test_accuracy",
}

SPLITS = ("train", "validation", "test")
