"""A floor of noise laid onto the picture: the same as under the waveform, and what it hides."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx.numpy_helper import to_array
from torch import Tensor

from audio_emotion.config import Config, load_config
from audio_emotion.errors import ConfigError
from audio_emotion.evaluation.conditions import pink_noise
from audio_emotion.lab.export import (
    ExportedModel,
    fuse_batch_norms,
    round_weights,
    store_halves,
    to_onnx,
)
from audio_emotion.lab.floored import FLOOR_DB, TRIM_DB, Floored
from audio_emotion.lab.frontend import Frontend
from audio_emotion.lab.module import EmotionModule
from audio_emotion.lab.resnet import VoiceResNet
from audio_emotion.lab.run import load_weights, save_weights

RATE = 16_000


def config(*overrides: str) -> Config:
    return load_config("voice", ["network.width=0.25", "network.floored=1", *overrides])


def sentence(seed: int = 0) -> Tensor:
    """Three syllables under a falling pitch, between stretches of silence, `(1, samples)`."""
    rng = np.random.default_rng(seed)
    time = np.arange(RATE // 2) / RATE
    quiet = np.zeros(RATE // 4)
    parts = [quiet]
    for pitch in (180, 160, 130):
        tone = sum(
            np.sin(2 * np.pi * k * pitch * time + rng.uniform(0, 6)) / k for k in range(1, 30)
        )
        parts += [tone / 10, quiet]
    signal = np.concatenate([*parts, quiet])
    return torch.from_numpy(signal.astype(np.float32))[None]


@pytest.fixture(scope="module")
def module() -> EmotionModule:
    """Of random weights, with statistics of two sentences."""
    torch.manual_seed(0)
    fitted = EmotionModule(config())
    fitted.fit(sentence(seed)[0] for seed in (0, 1))
    return fitted


def view(module: EmotionModule, waveform: Tensor) -> tuple[Tensor, Tensor]:
    assert isinstance(module.network, Floored)
    return module.network.view(*module.frontend(waveform))


def test_it_is_what_a_front_end_with_a_floor_makes(module: EmotionModule) -> None:
    """Which lays it under the power spectrum, and cuts silence from the waveform."""
    frontend = module.config.frontend.model_copy(update={"floor_db": FLOOR_DB, "trim_db": TRIM_DB})
    expected_of = Frontend(frontend)
    expected_of.load_state_dict(module.frontend.state_dict())
    waveform = sentence()
    expected, inside = expected_of(waveform)
    found, counted = view(module, waveform)
    assert not found[..., ~counted[0]].any()
    voiced = int(inside.sum())
    begun = int(counted[0].float().argmax())
    starts = [int(of.extent(waveform)[0]) for of in (module.frontend, expected_of)]
    shift = (starts[1] - starts[0]) // frontend.hop_length
    assert abs(begun - shift) <= 2  # frames; a frame of the detector is eight
    assert abs(int(counted.sum()) - voiced) <= 4
    both = slice(4, voiced - 4)
    shifted = slice(both.start + shift, both.stop + shift)
    torch.testing.assert_close(
        found[:, :2, :, shifted], expected[:, :2, :, both], atol=0.1, rtol=0.01
    )


def test_a_rooms_noise_is_hardly_seen_and_level_not_at_all(module: EmotionModule) -> None:
    clean = sentence()
    plain, counted = view(module, clean)
    changed, _ = pink_noise(25)(clean[0].numpy(), RATE, np.random.default_rng(1))
    room = torch.from_numpy(changed)[None]
    noisy, heard = view(module, room)
    weak = view(module, clean / 30)[0]
    torch.testing.assert_close(weak[:, :2], plain[:, :2], atol=1e-3, rtol=1e-3)
    assert abs(int(heard.sum()) - int(counted.sum())) <= 2
    frames = [module.frontend(wave)[1].sum().item() for wave in (clean, room)]
    assert frames[1] > frames[0] + 10  # without a floor the silence around it is kept
    starts = [int(each[0].float().argmax()) for each in (counted, heard)]
    voiced = min(int(counted.sum()), int(heard.sum())) - 2
    one, other = (
        picture[:, 0, :, start + 1 : start + voiced] * module.frontend.deviation[0]
        for picture, start in zip((plain, noisy), starts, strict=True)
    )
    assert (one - other).abs().mean() < 1  # dB


def test_frames_beyond_the_voice_and_other_clips_change_nothing(module: EmotionModule) -> None:
    """A batch's answers are those of its clips alone."""
    network = module.network.eval()
    pictures, counted = module.frontend(torch.cat([sentence(), sentence(1).roll(1000, 1)]))
    together = network(pictures, counted)
    alone = [network(pictures[n : n + 1], counted[n : n + 1]) for n in range(2)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)
    further = torch.nn.functional.pad(pictures, (0, 40))
    torch.testing.assert_close(
        network(further, torch.nn.functional.pad(counted, (0, 40))), together, atol=0.02, rtol=0.02
    )


def test_the_scale_of_the_pictures_travels_with_the_weights(
    module: EmotionModule, tmp_path: Path
) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(module, path)
    other = EmotionModule(config())
    load_weights(path, other)
    for own in (other.network, other.judged):
        assert isinstance(own, Floored)
        torch.testing.assert_close(own.mean, module.frontend.mean[:2])
        torch.testing.assert_close(own.deviation, module.frontend.deviation[:2])


def test_halves_lose_nothing_more(module: EmotionModule) -> None:
    """In bands of a kilohertz the floor is below what fp16 tells apart: it is not a weight."""
    model = ExportedModel(module.frontend, copy.deepcopy(module.judged)).eval()
    fuse_batch_norms(model.network)
    round_weights(model.network)
    graph = to_onnx(model)
    before = {tensor.name: to_array(tensor) for tensor in graph.graph.initializer}
    store_halves(graph)
    after = {tensor.name: to_array(tensor) for tensor in graph.graph.initializer}
    halved = {name.removesuffix(".half"): v for name, v in after.items() if name.endswith(".half")}
    assert {name for name in before if name.endswith("weight")} <= set(halved)
    for name, value in before.items():
        np.testing.assert_array_equal(halved.get(name, after.get(name)), value)


def test_the_last_members_hear_the_floor() -> None:
    network = EmotionModule(config("network.members=3", "network.floored=2")).network
    kinds = [type(member) for member in network.members]  # type: ignore[union-attr]
    assert kinds == [VoiceResNet, Floored, Floored]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["network.floored=2"], "more than the members"),
        (["frontend.features=both"], "lays a floor under pictures of dB"),
        (["frontend.normalization=clip"], "lays a floor under pictures of dB"),
    ],
)
def test_what_contradicts_it_is_refused(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config(*overrides)
