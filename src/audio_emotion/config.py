"""Every setting of a training, with its default, unit and limits.

The defaults of these classes are the configuration `default`.  A YAML file, or an option
`--set section.key=value`, states only what differs from them.  Unknown keys and contradictions are
refused with an explanation.
"""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from .errors import ConfigError, translated
from .labels import EMOTIONS, split_labels
from .text import parse_yaml

DEFAULT = "default"
FEATURES = {  # channels that the network takes, by setting
    "mel": ("mel",),
    "mfcc": ("mfcc",),
    "mel+mfcc": ("mel", "mfcc"),
    "mel+mean_normalised": ("mel", "mean_normalised"),
}
RENAMED = {  # configurations, settings and values of earlier versions
    "source": "reference", "voice": DEFAULT, "shipped": DEFAULT, "adapt": "finetune",
    "frontend.mask": "frontend.placement=start", "frontend.features=both": "mel+mfcc",
    "frontend.features=contrast": "mel+mean_normalised",
    "augment.pitch_p": "augment.waveform_p", "augment.stretch_p": "augment.waveform_p",
    "augment.noise_p": "augment.waveform_p", "augment.margin_dur": "augment.padding_dur",
    "train.best_by": "train.monitor", "train.average": "train.ema_decay",
    "train.class_weights=source": "reference",
    "train.class_weights=root": "sqrt", "train.monitor=macro_f1": "val_f1",
    "train.monitor=loss": "val_loss",
}  # fmt: skip
REMOVED = frozenset(
    ("again", "committee", "study", "frontend.features=pitch", "frontend.placement=repeat",
     "frontend.floor_db", "frontend.normalization", "frontend.top_db", "augment.renditions",
     "augment.shift_dur", "augment.warp_semitones", "augment.tempo", "augment.equalizer_db",
     "augment.reverb_dur", "augment.least_snr", "augment.masks", "network.members",
     "network.floored", "train.coarse_epochs", "train.fine_lr", "train.dropout_from",
     "train.schedule", "train.further", "train.auxiliary_ratio", "train.workers", "train.patience")
)  # fmt: skip


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FrontendConfig(_Section):
    """From a waveform to the network's input."""

    sampling_rate: int = Field(16_000, ge=8_000, le=48_000)  # Hz
    win_dur: float = Field(3.5, gt=0.1, le=30)  # s of audio that the network takes
    trim_db: float = Field(25, gt=0, le=120)  # frames this far below the loudest are silent
    # `center`: a clip in the middle of its window, all of which counts.  `start`: at its beginning;
    # the frames after it are zero, and left out of statistics and of the network's averages.
    placement: Literal["center", "start"] = "start"
    n_fft: int = Field(1024, ge=64, le=8192)  # samples
    hop_length: int = Field(256, ge=16)  # samples
    n_mels: int = Field(64, ge=32, le=256)
    # `mean_normalised` is the mel spectrogram with each band's mean over the clip removed.
    features: Literal["mel", "mfcc", "mel+mfcc", "mel+mean_normalised"] = "mel+mean_normalised"

    @property
    def window(self) -> int:
        """Samples that the network takes."""
        return round(self.win_dur * self.sampling_rate)

    @property
    def channels(self) -> tuple[str, ...]:
        """Features that are stacked for the network."""
        return FEATURES[self.features]

    @property
    def uses_mask(self) -> bool:
        """Whether frames after the clip are left out."""
        return self.placement == "start"

    @model_validator(mode="after")
    def _frames_overlap(self) -> Self:
        if self.hop_length > self.n_fft:
            raise ValueError(
                f"hop_length {self.hop_length} is longer than n_fft {self.n_fft}, so samples "
                "between frames would be skipped; make it at most n_fft"
            )
        if self.window < self.n_fft:
            raise ValueError(
                f"win_dur {self.win_dur} s is {self.window} samples, less than one frame of "
                f"n_fft {self.n_fft}; lengthen win_dur or shorten n_fft"
            )
        return self


class AugmentConfig(_Section):
    """Augmentation of training clips; no other clips are changed."""

    waveform_p: float = Field(0, ge=0, le=1)  # probability of each of the next three
    pitch_semitones: float = Field(2, ge=0, le=12)  # largest shift up or down
    stretch: float = Field(0.1, ge=0, le=0.5)  # speed between 1 - stretch and 1 + stretch
    noise: float = Field(0.005, ge=0, le=1)  # deviation, as a share of the clip's maximum
    crop_dur: float = Field(2, ge=0, le=30)  # s of a clip in one step at most; 0: the window
    padding_dur: float = Field(0.5, ge=0, le=2)  # s of the silence at either end kept at most
    spectral_p: float = Field(1, ge=0, le=1)  # scales the probabilities of spectral changes
    freq_mask: int = Field(8, ge=0)  # SpecAugment: widest mask, in mel bands
    time_mask: int = Field(16, ge=0)  # SpecAugment: longest mask, in frames
    mixup: float = Field(0.2, ge=0, le=8)  # alpha of the Beta distribution; 0 is off


class NetworkConfig(_Section):
    """The network: `resnet` is small and fast, `cnn` is the reference system's."""

    kind: Literal["resnet", "cnn"] = "resnet"
    width: float = Field(1.0, gt=0, le=4)  # factor on the channels of the kind
    dropout: float = Field(0.3, ge=0, le=0.9)  # before or between the fully connected layers
    block_dropout: float = Field(0, ge=0, le=0.9)  # of whole maps, after each block of `cnn`

    @model_validator(mode="after")
    def _block_dropout_has_blocks(self) -> Self:
        if self.kind == "resnet" and self.block_dropout:
            raise ValueError("block_dropout is a setting of kind 'cnn'; leave it 0 for 'resnet'")
        return self


class TrainConfig(_Section):
    """Optimisation."""

    seed: int = Field(0, ge=0)
    epochs: int = Field(80, ge=1)
    monitor: Literal["val_f1", "val_loss"] = "val_loss"  # chooses the best epoch
    batch_size: int = Field(64, ge=2)
    lr: float = Field(2e-3, gt=0, le=1)  # peak of the one-cycle schedule
    warmup: float = Field(0.15, gt=0, lt=1)  # share of the steps before the peak
    weight_decay: float = Field(0.02, ge=0)  # of AdamW
    gradient_clip: float = Field(5, ge=0)  # largest norm of a gradient; 0: unlimited
    ema_decay: float = Field(0.998, ge=0, lt=1)  # of the weights' moving average; 0: none
    # Clips drawn in an epoch; of several corpora by the root of their sizes, the first one doubled.
    epoch_clips: int = Field(8000, ge=0)  # 0: as many as there are
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    class_weights: Literal["reference", "balanced", "sqrt", "none"] | tuple[float, ...] = "sqrt"
    # `auto`: bf16 where the hardware computes in it; emulated bf16 is many times slower.
    precision: Literal["auto", "bf16-mixed", "32-true"] = "auto"


class SplitConfig(_Section):
    """Shares held back: of each class' clips, or of each corpus' speakers."""

    by: Literal["auto", "clip", "speaker"] = "auto"  # speaker, or clip if one states no speaker
    test: float = Field(0, ge=0, lt=1)
    val: float = Field(0.1, gt=0, lt=1)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Self:
        if self.test + self.val >= 1:
            raise ValueError(f"test {self.test} and val {self.val} leave nothing to train on")
        return self


class Architecture(_Section):
    """What a model is, without how it was trained."""

    name: str = Field(DEFAULT, pattern=r"^[\w.-]+$")
    labels: tuple[str, ...] = EMOTIONS  # in the order of every array
    frontend: FrontendConfig = FrontendConfig()
    network: NetworkConfig = NetworkConfig()

    @field_validator("labels", mode="before")
    @classmethod
    def _check_labels(cls, value: Any) -> Any:
        return split_labels(value if isinstance(value, str) else ",".join(map(str, value)))


class Config(Architecture):
    """A whole training."""

    augment: AugmentConfig = AugmentConfig()
    train: TrainConfig = TrainConfig()
    split: SplitConfig = SplitConfig()

    @model_validator(mode="after")
    def _weight_per_class(self) -> Self:
        weights, labels = self.train.class_weights, self.labels
        if weights == "reference" and labels != EMOTIONS:
            raise ValueError(
                "train.class_weights 'reference' are for the eight emotions; use sqrt, balanced or "
                f"none for {', '.join(labels)}"
            )
        if not isinstance(weights, str) and (len(weights) != len(labels) or min(weights) <= 0):
            raise ValueError(
                f"train.class_weights needs {len(labels)} positive numbers, in the order {labels}"
            )
        return self

    @model_validator(mode="after")
    def _lengths_fit(self) -> Self:
        augment, frontend = self.augment, self.frontend
        if not frontend.uses_mask and (
            augment.spectral_p or augment.crop_dur or augment.padding_dur
        ):
            raise ValueError(
                "augment.spectral_p, crop_dur and padding_dur change how long a clip is: they need "
                "frontend.placement start; set them to 0 for center"
            )
        if augment.crop_dur > frontend.win_dur:
            raise ValueError(
                f"augment.crop_dur {augment.crop_dur} s is longer than the window of "
                f"{frontend.win_dur} s; shorten it, or set it to 0"
            )
        frames = 1 + frontend.window // frontend.hop_length
        for name, size in [("freq_mask", frontend.n_mels), ("time_mask", frames)]:
            if getattr(augment, name) >= size:
                raise ValueError(
                    f"augment.{name} {getattr(augment, name)} would mask all {size} rows or "
                    "columns of the input; make it smaller"
                )
        return self

    @property
    def architecture(self) -> Architecture:
        """The part that travels with the weights."""
        return Architecture(**{key: getattr(self, key) for key in Architecture.model_fields})


def available() -> list[str]:
    """Return the names of the configurations that come with the package."""
    files = (entry.name for entry in _folder().iterdir() if entry.name.endswith(".yaml"))
    return sorted([DEFAULT, *(name.removesuffix(".yaml") for name in files)])


def load_config(source: str | Path = DEFAULT, overrides: Iterable[str] = ()) -> Config:
    """Load a configuration by name or from a YAML file, with `section.key=value` overrides.

    Raises:
        ConfigError: there is no such configuration or file, it is not YAML, a key is unknown, or a
            value is out of range or contradicts another.

    >>> load_config("reference", ["train.lr=5e-4"]).train.lr
    0.0005
    """
    values = _read(source)
    for override in overrides:
        _override(values, override)
    return make_config(values, str(source))


def make_config(values: dict[str, Any], origin: str) -> Config:
    """Check `values`; an error names `origin` as their source."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{origin}: " + "; ".join(map(_in_words, error.errors()))) from error


def _folder() -> Any:
    return resources.files(__package__) / "configs"


def _read(source: str | Path) -> dict[str, Any]:
    name = str(source)
    if name == DEFAULT:
        return {}
    path = _folder() / f"{name}.yaml" if name in available() else Path(source)
    if not path.is_file():
        raise ConfigError(
            f"there is no configuration '{name}'{_replacement(name)}: name one of "
            f"{', '.join(available())}, or a YAML file"
        )
    with translated(ConfigError, source):
        values = parse_yaml(path.read_text(encoding="utf-8")) or {}
    if not isinstance(values, dict):
        raise ConfigError(f"{source} holds no sections, but {values!r}")
    return values


def _override(values: dict[str, Any], override: str) -> None:
    """Put `section.key=value`, parsed as YAML, into `values`."""
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"'{override}' is not of the form section.key=value, as train.lr=5e-4")
    section = values
    for key in keys[:-1]:
        section = section.setdefault(key, {})
        if not isinstance(section, dict):
            raise ConfigError(f"'{override}': {key} is a value, not a section")
    with translated(ConfigError, f"'{override}'"):
        section[keys[-1]] = _number(parse_yaml(text))


def _number(value: Any) -> Any:
    """Read `5e-4` as a number, which YAML 1.1 takes for text because it has no point."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _in_words(error: Any) -> str:
    where = ".".join(
        str(part) for part in error["loc"] if "[" not in str(part)
    )  # no types of a union
    value = error["input"]
    if error["type"] == "extra_forbidden":
        return f"unknown key '{where}'" + _replacement(where)
    message = error["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(value, dict | BaseModel) else f" (got {value!r})"
    message += shown + _replacement(f"{where}={value}")
    return f"{where}: {message}" if where else message


def _replacement(name: str) -> str:
    if name in REMOVED:
        return f"; '{name}' was removed in version 0.2"
    return f"; it is now called '{RENAMED[name]}'" if name in RENAMED else ""
