"""What a zoo will take, against what one took."""

import dataclasses
import time

import pytest
from conftest import small

import zoo
from zoo.jobs.estimate import estimate, image_counts, random_images
from zoo.messages import duration
from zoo.nets.layout import total
from zoo.spec.resolve import layout_of
from zoo.untrusted.json import read_json


@pytest.mark.usefixtures("processes")
def test_the_estimate_is_about_what_a_build_takes(tmp_path):
    spec = small(nets=256)
    found = estimate(spec, workers=1, seconds=1.0)
    begun = time.perf_counter()
    folder = zoo.build(spec, tmp_path / "zoo", workers=1)
    seconds = time.perf_counter() - begun
    assert found.seconds / 4 < seconds  # not a speed test: other units or a slip by a power of ten would show
    trained = sum(read_json(path)["seconds"] for path in folder.glob("units/?????.json"))
    assert found.seconds / 6 < trained < found.seconds * 6
    shards = sum(path.stat().st_size for path in folder.glob("data/*.h5"))
    assert shards < found.disk_bytes < 3 * shards
    assert 1e8 < found.worker_bytes < 4e9
    assert any("nets/hour" in line for line in found.lines())


def test_machines_and_trajectories_scale_the_estimate():
    spec = small(nets=100)
    one = estimate(spec, workers=1, seconds=0.2)
    many = estimate(dataclasses.replace(spec, trajectory=(0, 1, 2)), workers=1, machines=10, seconds=0.2)
    assert one.disk_bytes == 2 * 100 * total(layout_of(spec)) * 4
    assert many.disk_bytes == 4 * one.disk_bytes
    assert many.seconds < one.seconds
    assert many.seconds == pytest.approx(3600 * 100 / many.nets_per_hour)


@pytest.mark.parametrize("name", [name for name in zoo.spec.SPECS if name.endswith("-standard")])
def test_every_built_in_spec_can_be_estimated(name):
    spec = zoo.load(name)
    train, test = image_counts(spec)
    assert train > spec.recipe.batch
    assert test > 0
    images = random_images(spec, 4)
    assert layout_of(spec)[0].shape[1] in (images.train.shape[1], images.train[0].numel())
    assert int(images.classes) == layout_of(spec)[-1].shape[0]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 s"), (119.0, "119 s"), (120.0, "2 min"), (5400.0, "90 min"), (9000.0, "2.5 h"), (2e5, "2.3 days")],
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text


def test_a_status_is_of_the_folder(standard):
    found = zoo.status(standard)
    assert (found.held, found.units, found.running, found.failed) == (64, 0, 0, 0)
    assert found.lines() == ["finished     64 nets in shards"]


def test_a_recipe_that_the_images_cannot_serve_is_refused_before_the_trial():
    with pytest.raises(ValueError, match="must fit into images"):
        estimate(small(recipe__cutout=9), workers=1)
    with pytest.raises(ValueError, match="a batch of 200 needs as many training images; there are 192"):
        estimate(small(recipe__batch=200), workers=1)
