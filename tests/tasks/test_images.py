import io
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo.spec.spec import Images
from zoo.tasks import images
from zoo.tasks.augment import Augmentation, augment, draw_augmentation, normalise
from zoo.tasks.image_tasks import TASKS

HUB_TASKS = [name for name, task in TASKS.items() if task.hub]
CIFAR10 = SHARED / "images/cifar10"


def slow_augment(image, flip, shift, cut, cutout):
    """Pixel by pixel: which pixel of the old image each new one is, None where nothing is left."""
    height, width = image.shape[-2:]
    new = {}
    for row in range(height):
        for column in range(width):
            old_row, old_column = row - shift[0], column - shift[1]
            gone = cut[0] <= row < cut[0] + cutout and cut[1] <= column < cut[1] + cutout
            if gone or not (0 <= old_row < height and 0 <= old_column < width):
                new[row, column] = None
            else:
                new[row, column] = image[:, old_row, width - 1 - old_column if flip else old_column]
    return new


@given(st.integers(0, 2**31), st.booleans(), st.integers(0, 3), st.integers(0, 4))
@settings(deadline=None, max_examples=25)
def test_augmentation_is_flip_then_shift_then_cutout_pixel_by_pixel(seed, flip, shift, cutout):
    rng = torch.Generator().manual_seed(seed)
    pictures = torch.randint(0, 256, (4, 3, 6, 6), generator=rng, dtype=torch.uint8)
    change = draw_augmentation(4, flip=flip, shift=shift, cutout=cutout, size=6, rng=rng)
    mean, std = torch.tensor([10.0, 100.0, 200.0]), torch.tensor([1.0, 50.0, 70.0])
    found = augment(pictures, change, cutout=cutout, mean=mean, std=std)
    for i in range(4):
        slow = slow_augment(pictures[i], bool(change.flip[i]), change.shift[i].tolist(), change.cut[i].tolist(), cutout)
        for (row, column), pixel in slow.items():
            expected = torch.zeros(3) if pixel is None else (pixel.float() - mean) / std
            torch.testing.assert_close(found[i, :, row, column], expected)


def test_no_change_is_normalising_alone_and_draws_stay_in_bounds():
    rng = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (2, 5, 1, 8, 8), dtype=torch.uint8)
    none = Augmentation(torch.zeros(2, 5, dtype=torch.bool), torch.zeros(2, 5, 2).long(), torch.zeros(2, 5, 2).long())
    mean, std = torch.tensor([99.0]), torch.tensor([44.0])
    found = augment(pictures, none, cutout=0, mean=mean, std=std)
    assert torch.equal(found, normalise(pictures, mean, std))
    drawn = draw_augmentation(3000, flip=True, shift=2, cutout=4, size=8, rng=rng)
    assert drawn.flip.float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert set(drawn.shift.unique().tolist()) == {-2, -1, 0, 1, 2}
    assert set(drawn.cut.unique().tolist()) == {0, 1, 2, 3, 4}


def test_digits_have_the_asked_sizes_and_no_image_twice():
    made = images.load(Images(train=300, test=200, held_out=0.2))
    assert [len(part) for part in (made.train, made.held_out, made.test)] == [240, 60, 200]
    every = torch.cat([made.train, made.held_out, made.test]).flatten(1)
    whole = images.load(Images(held_out=0.0, test=1))
    assert len(whole.train) == 1796
    known = torch.cat([whole.train, whole.test]).flatten(1).unique(dim=0, return_counts=True)[1]
    assert len(every.unique(dim=0)) >= 500 - int((known - 1).sum())
    assert made.mean.item() == pytest.approx(torch.cat([made.train, made.held_out]).float().mean().item(), rel=1e-5)


def test_the_digest_tells_images_apart():
    one, same, other = (images.load(Images(train=50, test=20, seed=seed)).digest() for seed in (0, 0, 1))
    assert one == same != other


def test_too_many_digits_are_refused():
    with pytest.raises(ValueError, match="1797"):
        images.load(Images(train=1500, test=500))


def picture(pixels: np.ndarray) -> dict:
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, format="PNG")
    return {"bytes": memory.getvalue(), "path": None}


def folder_of(path: Path, name: str, *, count: int = 6, splits=("train", "test"), **changes) -> tuple[Path, dict]:
    """A Parquet folder in the hub's layout with random pictures; `changes` replace columns, size or channels."""
    task, rng, made = TASKS[name], np.random.default_rng(0), {}
    size, channels = changes.get("size", task.size), changes.get("channels", task.channels)
    for split in splits:
        shape = (count, size, size, channels) if channels > 1 else (count, size, size)
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        labels = changes.get("labels", [i % task.classes for i in range(count)])
        features = datasets.Features(
            {task.image: datasets.Image(), changes.get("label", task.label): datasets.Value("int64")}
        )
        columns = {task.image: [picture(p) for p in pixels], changes.get("label", task.label): labels}
        (path / "plain_text").mkdir(parents=True, exist_ok=True)
        file = path / "plain_text" / f"{split}-00000-of-00001.parquet"
        datasets.Dataset.from_dict(columns, features=features).to_parquet(file)
        made[split] = (pixels.reshape(count, size, size, channels).transpose(0, 3, 1, 2), labels)
    return path, made


@pytest.mark.parametrize("name", HUB_TASKS)
def test_every_image_task_loads_from_a_folder_in_the_hubs_layout(tmp_path, name):
    path, made = folder_of(tmp_path, name)
    found = images.load(Images(task=name, held_out=0.0), path=path)
    for pictures, labels, split in (
        (found.train, found.train_labels, "train"),
        (found.test, found.test_labels, "test"),
    ):
        np.testing.assert_array_equal(pictures.numpy(), made[split][0])
        assert labels.tolist() == made[split][1]
    assert int(found.classes) == TASKS[name].classes


def test_area_resize_is_the_mean_of_the_pixels_and_grey_is_pillows(tmp_path):
    path, made = folder_of(tmp_path, "cifar10")
    small = images.load(Images(task="cifar10", size=8, held_out=0.0), path=path).train.numpy()
    blocks = made["train"][0].reshape(6, 3, 8, 4, 8, 4).mean(axis=(3, 5))
    np.testing.assert_allclose(small, blocks, atol=0.5001)
    grey = images.load(Images(task="cifar10", grey=True, held_out=0.0), path=path).train.numpy()
    slow = [np.asarray(Image.fromarray(p.transpose(1, 2, 0)).convert("L")) for p in made["train"][0]]
    assert np.abs(grey[:, 0].astype(int) - np.stack(slow)).max() <= 1


def test_subsets_and_held_out_images_are_the_same_every_time(tmp_path):
    path, _ = folder_of(tmp_path, "mnist", count=20)
    spec = Images(task="mnist", train=10, test=5, held_out=0.3)
    one, two = images.load(spec, path=path), images.load(spec, path=path)
    assert one.digest() == two.digest()
    assert [len(part) for part in (one.train, one.held_out, one.test)] == [7, 3, 5]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"size": 30}, r"shape \(30, 30, 3\), expected 32 x 32"),
        ({"channels": 1}, r"shape \(32, 32\), expected 32 x 32 with 3"),
        ({"label": "kind"}, "no column label"),
        ({"labels": [0, 1, 2, 3, 4, 10]}, "label 10, expected 0 to 9"),
        ({"labels": [0, 1, 2, 3, 4, -1]}, "label -1"),
        ({"splits": ("train",)}, "test"),
        ({"splits": ()}, "no Parquet files"),
    ],
)
def test_images_that_are_not_the_tasks_are_refused(tmp_path, changes, found):
    path, _ = folder_of(tmp_path, "cifar10", **changes)
    with pytest.raises((ValueError, FileNotFoundError), match=found) as caught:
        images.load(Images(task="cifar10"), path=path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "garbage", "picture"])
def test_damaged_files_are_refused_by_name(tmp_path, damage):
    path, _ = folder_of(tmp_path, "mnist")
    file = next(path.glob("**/train-*.parquet"))
    if damage == "picture":
        features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
        rows = {"image": [{"bytes": b"no picture", "path": None}], "label": [1]}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(file)
    else:
        file.write_bytes(file.read_bytes()[:-50] if damage == "truncated" else b"garbage" * 99)
    with pytest.raises(ValueError, match=str(tmp_path)):
        images.load(Images(task="mnist"), path=path)


def test_nothing_is_fetched_unless_asked():
    with pytest.raises(FileNotFoundError, match=r"--images FOLDER.*--download"):
        images.load(Images(task="cifar10"))
    with pytest.raises(ValueError, match="digits is embedded"):
        images.load(Images(), path=Path("somewhere"))


def test_download_asks_the_hub_for_the_tasks_address(monkeypatch):
    asked = []

    def load_dataset(address, config, **options):
        asked.append((address, config, options["split"]))
        raise ConnectionError("offline")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(ValueError, match="ufldl-stanford/svhn: cannot load the train images: offline"):
        images.load(Images(task="svhn"), download=True)
    assert asked == [("ufldl-stanford/svhn", "cropped_digits", "train")]


@pytest.mark.skipif(not CIFAR10.is_dir(), reason="CIFAR-10 is not at hand (../shared/images/cifar10)")
def test_the_real_cifar10_loads():
    made = images.load(Images(task="cifar10", size=16), path=CIFAR10)
    assert [len(part) for part in (made.train, made.held_out, made.test)] == [45_000, 5_000, 10_000]
    assert torch.cat([made.train_labels, made.held_out_labels]).bincount().tolist() == [5000] * 10
    assert made.test_labels.bincount().tolist() == [1000] * 10
    pixels = torch.cat([made.train, made.held_out]).float().mean(dim=(0, 2, 3))
    torch.testing.assert_close(pixels, made.mean, atol=1.5, rtol=0)  # the constants of the paper's code
