"""What a reference says: reference-v1 itself, and that files with faults are refused with what is wrong."""

from itertools import pairwise

import pytest
from small_reference import entry, reference, task, written

from benchmark.reference.reference import Reference, read
from zoo.seeds import net_seed
from zoo.spec import draw, split_of
from zoo.tasks.image_tasks import TASKS

DRAWN = 40  # nets whose draws are compared


@pytest.fixture(scope="module")
def v1() -> Reference:
    return read()


def test_the_reference_has_unique_names_and_every_zoo_a_task(v1):
    for names in ([z.name for z in v1.zoos], [t.name for t in v1.tasks]):
        assert len(names) == len(set(names))
    assert {name for one in v1.tasks for name in one.zoos} == {one.name for one in v1.zoos}
    assert {one.size for one in v1.zoos} == {*v1.sizes} == {"tiny", "small", "full"}


def test_every_spec_loads_under_its_entrys_name_and_needs_the_images_it_says(v1):
    for one in v1.zoos:
        spec = one.loaded()
        assert (spec.name, spec.nets, spec.seed) == (one.name, one.nets, one.seed)
        assert (one.images is None) == (TASKS[spec.image_task].hub is None)


def test_the_weights_of_a_size_stay_within_its_limit(v1):
    for name, size in v1.sizes.items():
        assert sum(one.weight_bytes() for one in v1.of_size(name, final=True)) <= size.megabytes * 10**6
    assert v1.sizes["tiny"].megabytes <= 20
    assert v1.sizes["small"].megabytes <= 500
    assert not any(one.images for one in v1.of_size("tiny", final=True))


def test_the_zoos_of_a_task_on_widths_share_draws_and_splits(v1):
    tasks = [one for one in v1.tasks if one.track == "width"]
    assert tasks
    for one in tasks:
        specs = [entry.loaded() for entry in v1.entries_of(one)]
        assert len({spec.net.width for spec in specs}) == len(specs)
        for index in range(DRAWN):
            rows = [(draw(s.recipe, seed=net_seed(s.seed, index)), split_of(s, index)) for s in specs]
            assert all(a == b for a, b in pairwise(rows))


def test_final_zoos_are_of_a_seed_that_no_zoo_to_develop_on_has(v1):
    seeds = {role: {one.seed for one in v1.zoos if one.role == role} for role in ("develop", "final")}
    assert seeds["final"]
    assert not seeds["final"] & seeds["develop"]
    for size in v1.sizes:
        known = v1.tasks_of(size, final=False)
        assert all(entry.role == "develop" for one in known for entry in v1.entries_of(one))
        assert len(v1.tasks_of(size, final=True)) > len(known)


TWO = [entry("one"), entry("two", seed=1)]
FAULTS = {
    "another field": (reference([entry("one", colour="red")], []), "zoos.0.colour: unexpected"),
    "no number": (reference([entry("one", nets="40")], []), "zoos.0.nets"),
    "no size": (reference([entry("one", size="huge")], []), "zoo one: no size 'huge'"),
    "no such role": (reference([entry("one", role="both")], []), "zoos.0.role"),
    "a zoo twice": (reference([entry("one"), entry("one")], []), "the zoo one is there 2 times"),
    "a task twice": (reference(TWO, [task("a", "in zoo", "one")] * 2), "the task a is there 2 times"),
    "no such zoo": (reference(TWO, [task("a", "in zoo", "three")]), "task a: no zoo three"),
    "the same zoo": (reference(TWO, [task("a", "transfer", "one", "one", transfer=True)]), "a zoo is there twice"),
    "no such track": (reference(TWO, [task("a", "guess", "one")]), "tasks.0.track"),
    "no transfer": (reference(TWO, [task("a", "transfer", "one", "two")]), "needs transfer and nothing else"),
    "a shift": (reference(TWO, [task("a", "in zoo", "one", shift="epochs")]), "has none of them.*wrong: shift"),
    "one zoo": (reference(TWO, [task("a", "transfer", "one", transfer=True)]), "transfer needs two zoos"),
    "no pairs": (reference(TWO, [task("a", "pairs", "one", pairs=40)]), "zoo one has not 40 pairs to connect"),
    "two roles": (
        reference([entry("one"), entry("two", role="final")], [task("a", "in zoo", "one", "two")]),
        "zoos to develop on beside final ones",
    ),
    "no such spec": (reference([entry("one", spec="digits-resnet9")], []), "zoo one: unknown spec 'digits-resnet9'"),
    "a file as spec": (reference([entry("one", spec="mine.toml")], []), "zoo one: unknown spec 'mine.toml'"),
    "a wrong setting": (reference([entry("one", set={"net.widht": 1})], []), "unknown field 'widht'; did you mean width"),
    "a name that is set": (reference([entry("one", set={"seed": 3})], []), "seed: a field of the zoo"),
    "no images": (reference([entry("one", spec="cifar10-resnet8-standard")], []), "needs cifar10 images, and says none"),
    "rows of their own": (
        reference(TWO, [task("a", "width", "one", "two", transfer=True)]),
        "task a: the zoos differ in more than width",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_in_a_file_is_said(tmp_path, fault):
    value, told = FAULTS[fault]
    with pytest.raises(ValueError, match=told) as raised:
        read(written(tmp_path / "mine.toml", value))
    assert str(tmp_path / "mine.toml") in str(raised.value)


@pytest.mark.parametrize("text", ["name =", "name = 1979-05-27", "", "name = nan"])
def test_so_is_what_is_no_reference_at_all(tmp_path, text):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ValueError, match=r"mine\.toml"):
        read(tmp_path / "mine.toml")
