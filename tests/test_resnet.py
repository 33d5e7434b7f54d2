"""The small network: its size and cost, and that frames outside the mask do not matter."""

import pytest
import torch
from torch import nn

from audio_emotion.config import NetworkConfig, load_config
from audio_emotion.training.networks import make_network
from audio_emotion.training.networks.resnet import EmotionResNet

CONFIG = load_config("default")


def network() -> EmotionResNet:
    torch.manual_seed(0)
    made = EmotionResNet(CONFIG.network, 2, 64, 8).eval()
    for module in made.modules():  # as if trained: a fresh block begins as its shortcut
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return made


def mask_of(*frames: int, of: int) -> torch.Tensor:
    return torch.arange(of)[None] < torch.tensor(frames)[:, None]


def multiply_adds(module: nn.Module, *inputs: torch.Tensor) -> int:
    """Of convolutions and linear layers, counted from the shapes that pass."""
    total = 0

    def count(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            total += layer.weight.numel() * output.shape[2] * output.shape[3]
        elif isinstance(layer, nn.Linear):
            total += layer.weight.numel() * (output.shape[1] if output.ndim == 3 else 1)

    for layer in module.modules():
        layer.register_forward_hook(count)
    module(*inputs)
    return total


def test_it_costs_less_than_a_tenth_of_the_reference() -> None:
    frames = 1 + CONFIG.frontend.window // CONFIG.frontend.hop_length
    small = multiply_adds(network(), torch.randn(1, 2, 64, frames), mask_of(frames, of=frames))
    reference = load_config("reference")
    cnn = make_network(reference.network, reference.frontend, 8).eval()
    large = multiply_adds(cnn, torch.randn(1, 2, 128, 151))
    assert small < 0.3e9
    assert small < large / 10
    assert sum(p.numel() for p in network().parameters()) < 1.2e6


@pytest.mark.parametrize("frames", [7, 64, 157])
def test_padding_changes_next_to_nothing(frames: int) -> None:
    """A block's second convolution sees the first one's offsets just past the end, and no more."""
    made, features = network(), torch.randn(1, 2, 64, frames)
    alone = made(features, mask_of(frames, of=frames))
    padded = nn.functional.pad(features, (0, 48))
    torch.testing.assert_close(
        made(padded, mask_of(frames, of=frames + 48)), alone, atol=0.02, rtol=0
    )


def test_pooling_and_excitation_ignore_frames_outside_the_mask() -> None:
    made = network()
    mask = mask_of(10, of=16)[:, None, None].float()
    maps = torch.rand(1, 192, 4, 16)
    noisy = maps + 100 * (1 - mask)
    torch.testing.assert_close(made.pool(maps, mask), made.pool(noisy, mask))
    block = made.blocks[0]
    maps = torch.rand(1, 32, 8, 16)
    noisy = maps.clone()
    noisy[..., 12:] = 100  # out of the reach of two convolutions of width three
    torch.testing.assert_close(block(maps, mask)[0], block(noisy, mask)[0])


def test_clips_of_a_batch_do_not_affect_each_other() -> None:
    made, features = network(), torch.randn(2, 2, 64, 80)
    mask = mask_of(80, 40, of=80)
    features = features * mask[:, None, None]
    together = made(features, mask)
    for row in range(2):
        alone = made(features[row : row + 1], mask[row : row + 1])
        torch.testing.assert_close(together[row], alone[0], atol=1e-4, rtol=1e-4)


def test_a_fresh_block_is_its_shortcut() -> None:
    torch.manual_seed(0)
    block = EmotionResNet(NetworkConfig(), 2, 64, 8).blocks[0].eval()
    maps = torch.rand(1, 32, 8, 10)
    torch.testing.assert_close(block(maps, torch.ones(1, 1, 1, 10))[0], maps)
