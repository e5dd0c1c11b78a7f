"""What records say of the zoo they are tested on."""

import zoo
from benchmark.records.facts import UNKNOWN, facts_by_name, facts_of
from zoo.spec.columns import HYPER_PARAMETERS
from zoo.tasks.image_tasks import TASKS


def test_the_facts_of_a_built_zoo_are_those_of_its_spec(standard):
    made = zoo.open(standard)
    found = facts_of(made)
    assert found.test_images == made.spec.images.test
    assert found.varied == [name for name in HYPER_PARAMETERS if made.columns[name].nunique() > 1]


def test_those_of_a_built_in_spec_are_known_by_name():
    assert facts_by_name("cifar10-16px-resnet8-standard").test_images == TASKS["cifar10"].test_images == 10_000
    assert facts_by_name("digits-resnet8-standard").varied == [*HYPER_PARAMETERS]
    assert facts_by_name("digits-seed-resnet8-w_asymmetric").varied == []
    assert facts_by_name("someones-zoo") == UNKNOWN
