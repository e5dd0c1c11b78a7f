import pytest
import safetensors.torch
import torch
from plain_resnet8 import PlainResNet8

import zoo
from zoo import images
from zoo.export import export


@pytest.mark.parametrize("kind", ["safetensors", "state_dict"])
@pytest.mark.parametrize("family", ["standard", "asymmetric"])
def test_an_exported_net_runs_in_a_plain_resnet8_with_its_stored_accuracy(request, tmp_path, kind, family):
    made = zoo.open(request.getfixturevalue(family))
    path = export(made, 7, tmp_path / "net", kind=kind)
    tensors = safetensors.torch.load_file(path) if kind == "safetensors" else torch.load(path, weights_only=True)
    plain = PlainResNet8(width=made.spec.net.width, channels=1)
    plain.load_state_dict(tensors)
    pictures = images.load(made.spec.images)
    inputs = images.normalise(pictures.test, pictures.mean, pictures.std)
    accuracy = (plain(inputs).argmax(1) == pictures.test_labels).float().mean().item()
    assert accuracy == pytest.approx(made.columns["test_accuracy"][7], abs=1.01 / len(pictures.test))


def test_an_existing_file_is_not_overwritten_unless_asked(standard, tmp_path):
    path = tmp_path / "net"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite"):
        export(zoo.open(standard), 0, path, kind="safetensors")
    assert path.read_text() == "mine"
    export(zoo.open(standard), 0, path, kind="safetensors", overwrite=True)
    assert path.read_bytes() != b"mine"
