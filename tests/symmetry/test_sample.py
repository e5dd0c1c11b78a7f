import torch

from zoo.seeds import stream
from zoo.symmetry.sample import uniform


def test_a_part_of_the_nets_after_another_gives_the_numbers_of_all_at_once():
    spaces, rng = {"one": 3, "other": 2}, stream("sample")
    whole, parts = uniform(6, stream("sample"), spaces), [uniform(2, rng, spaces) for _ in range(3)]
    assert list(whole) == list(spaces)
    for space, size in spaces.items():
        assert whole[space].shape == (6, size)
        assert ((whole[space] >= 0) & (whole[space] < 1)).all()
        assert torch.equal(whole[space], torch.cat([part[space] for part in parts]))
    assert uniform(2, rng, {}) == {}
