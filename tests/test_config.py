"""Settings: one home for each default, and refusals in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from audio_emotion.config import Config, load_config, make_config
from audio_emotion.config_text import available
from audio_emotion.errors import ConfigError


def test_source_is_the_defaults() -> None:
    assert load_config("source") == Config()


@pytest.mark.parametrize("name", available())
def test_every_shipped_configuration_loads_under_its_name(name: str) -> None:
    assert load_config(name).name == name


def test_the_reference_picture_is_128_by_151() -> None:
    frontend = Config().frontend
    assert frontend.window == 77_175
    assert 1 + frontend.window // frontend.hop_length == 151


@pytest.mark.parametrize(
    ("override", "value"),
    [("train.lr=5e-4", 5e-4), ("network.dropout=0", 0), ("train.class_weights=none", "none")],
)
def test_overrides_of_every_type(override: str, value: object) -> None:
    section, key = override.split("=")[0].split(".")
    assert getattr(getattr(load_config("source", [override]), section), key) == value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.larning_rate=1", "unknown key 'train.larning_rate'"),
        ("train.lr=-1", r"train\.lr: .*greater than 0 \(got -1\)"),
        ("train.lr", "not of the form section.key=value"),
        ("frontend.hop_length=4096", "samples between frames would never be seen"),
        ("train.coarse_epochs=45", "leave no epoch of 45 at full resolution"),
        ("split.test=0.95", "leave nothing to train on"),
        ("train.class_weights=[1, 2]", "needs 8 positive numbers"),
        ("labels=bored,engaged", "'source' are for the eight emotions"),
        ("labels=bored", "two or more different names"),
        ("labels=bored,bored", "two or more different names"),
        ("labels=Bored,engaged", "in lower case"),
        ("augment.time_mask=151", "would hide the whole picture"),
        ("name.x=1", "name is a value, not a section"),
        ("augment.crop_dur=2", "need frontend.mask true and frontend.placement start"),
        ("network.kind=resnet", "set it to 0 for resnet"),
    ],
)
def test_nonsense_is_refused_in_words(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config("source", [override])


def test_a_file_can_build_on_another_configuration(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("base: voice\nname: mine\ntrain: {epochs: 3}\n")
    mine, base = load_config(path), load_config("voice")
    assert mine.train.epochs == 3
    assert mine.train.batch_size == base.train.batch_size
    assert mine.frontend == base.frontend
    path.write_text("base: nobody\n")
    with pytest.raises(ConfigError, match="base 'nobody' is none of"):
        load_config(path)
    path.write_text("- 1\n")
    with pytest.raises(ConfigError, match="states no sections"):
        load_config(path)


def test_file_and_its_absence(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nnetwork: {width: 0.25}\n")
    assert load_config(path).network.width == 0.25
    with pytest.raises(ConfigError, match="name one of"):
        load_config(tmp_path / "none.yaml")
    path.write_text("name: [")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_config(path)


def test_a_configuration_survives_its_own_json() -> None:
    config = load_config("source", ["train.class_weights=[1,1,1,1,1,1,1,2]"])
    assert make_config(config.model_dump(mode="json"), "test") == config
