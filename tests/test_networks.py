"""The reference network: its shape, its size and its dropout."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from audio_emotion.config import FrontendConfig, NetworkConfig
from audio_emotion.training.networks import make_network
from audio_emotion.training.networks.cnn import DeepAudioEmotionCNN


def network(channels: int = 2, **settings: float) -> DeepAudioEmotionCNN:
    return DeepAudioEmotionCNN(NetworkConfig(kind="cnn", **settings), channels, 8)


def layers(network: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [layer for layer in network.modules() if isinstance(layer, kind)]


def test_it_is_the_network_of_the_reference_system() -> None:
    made = network()
    assert [c.out_channels for c in layers(made, nn.Conv2d)] == [
        *(64, 64, 128, 128, 256, 256, 512, 512, 512, 512)
    ]
    assert [f.out_features for f in layers(made, nn.Linear)] == [512, 256, 128, 8]
    assert {c.kernel_size for c in layers(made, nn.Conv2d)} == {(3, 3)}
    assert len(layers(made, nn.BatchNorm2d)) == 10
    assert len(layers(made, nn.MaxPool2d)) == len(layers(made, nn.Dropout2d)) == 5
    assert len(layers(made, nn.Dropout)) == 3


def test_parameters_in_closed_form() -> None:
    channels, hidden = [2, 64, 128, 256, 512, 512], [512, 512, 256, 128, 8]
    pairs = list(pairwise(channels))
    convolutions = sum(9 * a * b + 9 * b * b + 4 * b for a, b in pairs)
    linear = sum(a * b + b for a, b in pairwise(hidden))
    assert sum(p.numel() for p in network().parameters()) == convolutions + linear


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frames", [76, 151])
def test_any_input_of_32_rows_and_columns_and_more_gives_logits(channels: int, frames: int) -> None:
    made = network(channels, width=0.125).eval()
    assert made(torch.randn(3, channels, 64, frames)).shape == (3, 8)


@pytest.mark.parametrize("kind", ["cnn", "resnet"])
def test_the_narrowest_network_has_a_map(kind: str) -> None:
    config = NetworkConfig.model_validate({"kind": kind, "width": 0.001})
    made = make_network(config, FrontendConfig(), 8).eval()
    features, mask = torch.randn(2, 2, 64, 64), torch.ones(2, 64, dtype=torch.bool)
    assert made(features, mask).shape == (2, 8)


def test_dropout_is_configured_and_drops_in_training_only() -> None:
    made = network(width=0.125, dropout=0.4, block_dropout=0.3)
    assert {layer.p for layer in layers(made, nn.Dropout)} == {0.4}
    assert {layer.p for layer in layers(made, nn.Dropout2d)} == {0.3}
    features = torch.randn(2, 2, 64, 64)
    assert not torch.equal(made(features), made(features))
    made.eval()
    torch.testing.assert_close(made(features), made(features))
