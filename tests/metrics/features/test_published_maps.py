"""The published networks without a connection: refusals, and random weights from a file."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest
import torch
from dgmbench.benchmark.speed.worker import PEERS
from dgmbench.metrics.features import feature_map
from dgmbench.metrics.features.images import normalised, to_rgb
from dgmbench.metrics.features.inception import FILE, network_module
from dgmbench.metrics.features.weights import blob_checksum, sha256, verified
from safetensors.torch import save_file


@pytest.fixture
def pictures() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 3, 40, 40), generator=generator, dtype=torch.uint8)


def test_missing_inception_weights_are_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError) as failed:
        feature_map("inception-v3")
    message = str(failed.value)
    assert FILE in message and str(tmp_path / "checkpoints") in message and "\n" not in message


@pytest.mark.parametrize("name", ["dinov2", "clip"])
def test_missing_transformers_weights_are_one_sentence(name, tmp_path):
    with pytest.raises(FileNotFoundError) as failed:
        feature_map(name, weights=tmp_path)
    message = str(failed.value)
    assert "model.safetensors" in message and str(tmp_path) in message and "\n" not in message


@pytest.mark.parametrize(
    "name, repository",
    [("dinov2", "facebook/dinov2-large"), ("clip", "openai/clip-vit-large-patch14-336")],
)
def test_the_hub_cache_is_where_they_are_looked_for(name, repository, monkeypatch):
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    with pytest.raises(FileNotFoundError, match=f"models--{repository.replace('/', '--')}"):
        feature_map(name)


def test_a_checksum_is_verified(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights")
    right = "9f2c1e44"
    with pytest.raises(ValueError, match=r"Expected weights .* begins with 9f2c1e44, got"):
        verified(path, right, "fetch it")
    assert verified(path, sha256(path)[:8].upper(), "fetch it") == path
    assert verified(path, "", "fetch it") == path
    with pytest.raises(ValueError, match="begins with 6726825d"):
        feature_map("inception-v3", weights=path)


def test_sha256_is_the_standard_one(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "abc") == want


def test_the_hub_cache_knows_the_checksum_of_its_blobs(tmp_path):
    blob = tmp_path / "blobs" / ("0a" * 32)
    blob.parent.mkdir()
    blob.write_bytes(b"weights")
    (tmp_path / "model.safetensors").symlink_to(blob)
    assert blob_checksum(tmp_path / "model.safetensors") == "0a" * 32
    (tmp_path / "config.json").write_text("{}")
    assert blob_checksum(tmp_path / "config.json") == ""
    with pytest.raises(ValueError, match="begins with " + "0a" * 32):
        feature_map("clip", weights=tmp_path)


def test_levels_are_spread_over_eight_bits():
    x = torch.tensor([0, 4, 16]).view(3, 1, 1, 1)
    assert to_rgb(x, 17).shape == (3, 3, 1, 1)
    assert to_rgb(x, 17)[:, 1].flatten().tolist() == [0, 64, 255]
    assert to_rgb(torch.tensor([0, 1]).view(2, 1, 1, 1), 2)[:, 2].flatten().tolist() == [0, 255]
    every = torch.arange(256).view(1, 1, 16, 16)
    assert torch.equal(to_rgb(every)[:, :1].long(), every)
    assert torch.equal(to_rgb(every / 255, None)[:, :1].long(), every)


@pytest.mark.parametrize("value", [-1.0, 256.0, torch.nan, torch.inf])
def test_pixels_outside_are_counted_and_never_wrap(value):
    x = torch.zeros(4, 1, 2, 2)
    x[1, 0, 0, 0] = value
    with pytest.raises(ValueError, match=r"Expected pixels within 0\.\.255, got 1 of 4 images"):
        to_rgb(x)


def test_images_of_another_layout_are_refused():
    with pytest.raises(ValueError, match=r"got \(2, 4, 4, 3\)"):
        to_rgb(torch.zeros(2, 4, 4, 3))


def test_normalised_keeps_a_flat_image_flat():
    grey = torch.full((1, 3, 5, 9), 51, dtype=torch.uint8)  # 0.2
    x = normalised(grey, 4, (0.1, 0.2, 0.4), (0.5, 1.0, 2.0))
    want = torch.tensor([0.2, 0.0, -0.1]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    torch.testing.assert_close(x, want, rtol=0, atol=1e-6)


@pytest.fixture
def peers_path(monkeypatch):
    """The folder of peers in sight, once torchmetrics, which imports what it sees, is loaded."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(PEERS)])


@pytest.fixture
def inception_file(tmp_path, peers_path):
    """Random weights under which activations neither die nor explode, in a file."""
    if find_spec("torch_fidelity") is None:
        pytest.skip("torch-fidelity is not installed")
    extractor = network_module().FeatureExtractorInceptionV3
    with pytest.MonkeyPatch.context() as patch:
        # The extractor can only be made from a file of weights: here it keeps its initialisation.
        patch.setattr(extractor, "load_state_dict", lambda self, state: None)
        patch.setattr(torch, "load", lambda *_, **__: {})
        blank = extractor("random", ["2048"], "none")
    torch.manual_seed(0)
    for weight in blank.parameters():
        if weight.ndim == 4:
            torch.nn.init.kaiming_normal_(weight)
    path = tmp_path / "random.pth"
    torch.save(blank.state_dict(), path)
    return path


@pytest.mark.peers
def test_inception_equals_the_extractor_of_torch_fidelity(inception_file, pictures, tmp_path):
    before = {name for name in sys.modules if name.startswith("torch_fidelity")}
    phi = feature_map(
        "inception-v3", weights=inception_file, checksum=sha256(inception_file), batch=2
    )
    extractor = network_module().FeatureExtractorInceptionV3
    theirs = extractor("theirs", ["2048"], str(inception_file))(pictures)[0]
    assert 0.01 < theirs.std() < 100
    torch.testing.assert_close(phi(pictures), theirs, rtol=1e-5, atol=1e-5)
    assert phi(pictures[:, :1].long()).shape == (3, 2048)
    assert {name for name in sys.modules if name.startswith("torch_fidelity")} == before
    safe = tmp_path / "random.safetensors"
    save_file(torch.load(inception_file), safe)
    again = feature_map("inception-v3", weights=safe, checksum="", batch=3)
    assert again.fingerprint() == phi.fingerprint()
    with pytest.raises(ValueError, match="begins with 6726825d"):
        feature_map("inception-v3", weights=inception_file)


@pytest.mark.peers
def test_dinov2_is_the_class_token_of_transformers(pictures, tmp_path, peers_path):
    transformers = pytest.importorskip("transformers")
    settings = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.Dinov2Config(**settings, image_size=56, patch_size=14)
    torch.manual_seed(0)
    network = transformers.Dinov2Model(config).eval()
    network.save_pretrained(tmp_path)
    phi = feature_map("dinov2", weights=tmp_path, size=56, batch=2)
    pixels = normalised(pictures, 56, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with torch.no_grad():
        want = network(pixel_values=pixels).last_hidden_state[:, 0]
    torch.testing.assert_close(phi(pictures), want, rtol=1e-5, atol=1e-5)
    assert want.std(0).max() > 1e-3


@pytest.mark.peers
def test_clip_is_the_normalised_embedding_of_transformers(pictures, tmp_path, peers_path):
    transformers = pytest.importorskip("transformers")
    settings = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2}
    config = transformers.CLIPVisionConfig(
        **settings, num_attention_heads=2, image_size=56, patch_size=14, projection_dim=12
    )
    torch.manual_seed(0)
    network = transformers.CLIPVisionModelWithProjection(config).eval()
    network.save_pretrained(tmp_path)
    phi = feature_map("clip", weights=tmp_path, batch=2)
    assert phi.size == 56
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    with torch.no_grad():
        want = network(pixel_values=normalised(pictures, 56, mean, std)).image_embeds
    torch.testing.assert_close(phi(pictures), want / want.norm(dim=1, keepdim=True))
    torch.testing.assert_close(phi(pictures).norm(dim=1), torch.ones(3))
