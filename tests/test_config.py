"""Settings: one home for each default, few of them, and refusals in words."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from audio_emotion.config import RENAMED, Config, available, load_config, make_config
from audio_emotion.errors import ConfigError


def settings(section: type[BaseModel] = Config, prefix: str = "") -> list[str]:
    """Every `section.key`."""
    names = []
    for name, field in section.model_fields.items():
        kind = field.annotation
        nested = isinstance(kind, type) and issubclass(kind, BaseModel)
        names += settings(kind, f"{prefix}{name}.") if nested else [prefix + name]  # type: ignore[arg-type]
    return names


def test_there_are_three_configurations_and_few_settings() -> None:
    assert available() == ["default", "finetune", "reference"]
    assert len(settings()) <= 44


def test_the_default_configuration_is_the_defaults() -> None:
    assert load_config("default") == load_config() == Config()


@pytest.mark.parametrize("name", available())
def test_every_configuration_loads_under_its_name(name: str) -> None:
    assert load_config(name).name == name


def test_the_reference_input_is_128_by_151() -> None:
    frontend = load_config("reference").frontend
    assert frontend.window == 77_175
    assert 1 + frontend.window // frontend.hop_length == 151
    assert frontend.n_mels == 128


@pytest.mark.parametrize(
    ("override", "value"),
    [("train.lr=5e-4", 5e-4), ("network.dropout=0", 0), ("train.class_weights=none", "none")],
)
def test_overrides_of_every_type(override: str, value: object) -> None:
    section, key = override.split("=")[0].split(".")
    assert getattr(getattr(load_config("default", [override]), section), key) == value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.larning_rate=1", "unknown key 'train.larning_rate'"),
        ("train.lr=-1", r"train\.lr: .*greater than 0 \(got -1\)"),
        ("train.lr", "not of the form section.key=value"),
        ("train.lr=[", "is not YAML"),
        ("train.epochs=0", r"train\.epochs: .*greater than or equal to 1"),
        ("frontend.hop_length=4096", "between frames would be skipped"),
        ("split.test=0.95", "leave nothing to train on"),
        ("train.class_weights=[1, 2]", "needs 8 positive numbers"),
        ("labels=bored,engaged", "'reference' are for the eight emotions"),
        ("labels=bored", "two or more different labels"),
        ("labels=bored,bored", "two or more different labels"),
        ("labels=Bored,engaged", "in lower case"),
        ('labels=["<b>", "c"]', "is not 1 to 40 letters"),
        ("augment.time_mask=151", "would mask all 151"),
        ("name.x=1", "unknown key|name is a value|Input should be a valid string"),
        ("augment.crop_dur=2", "need frontend.placement start"),
        ("network={kind: resnet, block_dropout: 0.1}", "leave it 0 for 'resnet'"),
    ],
)
def test_nonsense_is_refused_in_words(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config("reference", [override])


def test_names_of_earlier_versions_name_their_replacement() -> None:
    for old, new in RENAMED.items():
        with pytest.raises(ConfigError, match=re.escape(f"it is now called '{new}'")):
            load_config(old) if "." not in old else load_config("default", [_assigned(old)])
        if "=" in old:
            load_config("default", [f"{old.partition('=')[0]}={new}"])
        else:
            assert new.split("=")[0] in {*settings(), *available()}


def _assigned(setting: str) -> str:
    return setting if "=" in setting else f"{setting}=1"


def test_a_file_states_what_differs_from_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nnetwork: {width: 0.25}\n")
    assert load_config(path).network.width == 0.25
    assert load_config(path).train == Config().train
    with pytest.raises(ConfigError, match="name one of"):
        load_config(tmp_path / "none.yaml")
    path.write_text("name: [")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_config(path)
    path.write_text("- 1\n")
    with pytest.raises(ConfigError, match="holds no sections"):
        load_config(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_config(path)


BOMBS = {
    "depth": "train: " + 9_000 * "[",
    "a long number": "train: {epochs: " + 9_000 * "9" + "}",
    "a long file": "train: {lr: 1}\n" + 30_000 * "#",
    "a date": "train: {lr: 2001-99-99}",
    "aliases": "a: &a [x]\n" + "".join(f"{n}: &n{n} [*a, *a]\n" for n in range(9)),
    "itself": "train: &a {lr: *a}",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_of_yaml_are_refused_in_words(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(BOMBS[kind])
    with pytest.raises(ConfigError, match=r"mine\.yaml") as caught:
        load_config(path)
    assert len(str(caught.value)) < 1000
    if kind in {"depth", "a long number"}:
        with pytest.raises(ConfigError, match="is not YAML"):
            load_config("default", [f"train.lr={BOMBS[kind].partition(': ')[2]}"])


def test_a_configuration_survives_its_own_json() -> None:
    config = load_config("reference", ["train.class_weights=[1,1,1,1,1,1,1,2]"])
    assert make_config(config.model_dump(mode="json"), "test") == config
