"""Every setting of a training, with its default, its unit and its limits.

The defaults of these classes *are* the reference configuration `source`; a YAML file or a
`--set section.key=value` states only what differs.  Unknown keys and contradictions are refused
in words.  The configuration travels with the weights: in the run folder, in each checkpoint and in
the metadata of the exported model.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from typing_extensions import Self

from .config_text import override_value, values_of
from .errors import ConfigError
from .labels import EMOTIONS

SOURCE_CLASS_WEIGHTS = (1.3, 1.0, 2.0, 3.5, 1.0, 1.5, 2.0, 1.0)  # in the order of EMOTIONS


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FrontendConfig(_Section):
    """From a waveform to the network's picture."""

    sampling_rate: int = Field(22_050, ge=8_000, le=48_000)  # Hz
    win_dur: float = Field(3.5, gt=0.1, le=30)  # s of audio the network sees
    trim_db: float = Field(35, gt=0, le=120)  # dB below the loudest frame that count as silence
    placement: Literal["center", "start", "repeat"] = "center"  # of a clip in its window
    # Frames outside the voice are zero, and kept out of statistics and of the network's averages.
    mask: bool = False
    n_fft: int = Field(2048, ge=64, le=8192)  # samples
    hop_length: int = Field(512, ge=16)  # samples
    n_mels: int = Field(128, ge=32, le=256)
    top_db: float = Field(80, gt=0, le=120)  # dB kept below the loudest cell
    floor_db: float = Field(120, ge=0, le=120)  # dB below the voice of pink noise laid under it
    # `contrast`: the mel bands, and again with each band's mean over the clip removed.
    # `pitch`: those, and how alike each frame is to itself some lag later, see `lag_cosines`.
    features: Literal["mel", "mfcc", "both", "contrast", "pitch"] = "both"
    # Zero mean and unit deviation: of each row, by the training part's statistics, or of each
    # channel of each clip, by its own.
    normalization: Literal["corpus", "clip"] = "corpus"

    @property
    def window(self) -> int:
        """Samples the network sees."""
        return round(self.win_dur * self.sampling_rate)

    @property
    def channels(self) -> int:
        """Pictures stacked for the network."""
        return {"mel": 1, "mfcc": 1, "both": 2, "contrast": 2, "pitch": 3}[self.features]

    @model_validator(mode="after")
    def _mask_needs_an_end(self) -> Self:
        if self.mask and self.placement == "repeat":
            raise ValueError("mask and placement 'repeat' contradict: a repeated clip has no end")
        return self

    @model_validator(mode="after")
    def _frames_overlap(self) -> Self:
        if self.hop_length > self.n_fft:
            raise ValueError(
                f"hop_length {self.hop_length} is longer than n_fft {self.n_fft}: samples between "
                "frames would never be seen; make it at most n_fft"
            )
        if self.window < self.n_fft:
            raise ValueError(
                f"win_dur {self.win_dur} s is {self.window} samples, less than one frame of "
                f"n_fft {self.n_fft}; lengthen win_dur or shorten n_fft"
            )
        return self


class AugmentConfig(_Section):
    """What training does to a clip before it looks at it; nothing of it touches other parts."""

    pitch_semitones: float = Field(2, ge=0, le=12)  # largest shift up or down
    pitch_p: float = Field(0.5, ge=0, le=1)
    stretch: float = Field(0.1, ge=0, le=0.5)  # speed between 1 - stretch and 1 + stretch
    stretch_p: float = Field(0.5, ge=0, le=1)
    noise: float = Field(0.005, ge=0, le=1)  # deviation, as a share of the clip's maximum
    noise_p: float = Field(0.5, ge=0, le=1)
    renditions: int = Field(16, ge=0, le=64)  # pitched and stretched copies kept; 0: ever new
    shift_dur: float = Field(0, ge=0, le=3)  # s, largest circular shift in the window
    crop_dur: float = Field(0, ge=0, le=30)  # s of voice that a step looks at most; 0: the window
    margin_dur: float = Field(0, ge=0, le=2)  # s, most of the quiet at either end that is kept
    spectral_p: float = Field(0, ge=0, le=1)  # of each of the following, see `lab/spectral.py`
    warp_semitones: float = Field(3, ge=0, le=12)  # largest scaling of the frequency axis
    tempo: float = Field(0.18, ge=0, le=0.5)  # largest logarithm of the scaling of the time axis
    equalizer_db: float = Field(4, ge=0, le=20)  # deviation of a smooth random equaliser's terms
    reverb_dur: float = Field(1, ge=0.1, le=5)  # s, longest time for an echo to fall by 60 dB
    least_snr: float = Field(5, ge=-10, le=60)  # dB, voice over coloured noise
    freq_mask: int = Field(0, ge=0)  # SpecAugment: widest band masked, in mel bands
    time_mask: int = Field(0, ge=0)  # SpecAugment: longest stretch masked, in frames
    masks: int = Field(2, ge=1, le=8)  # SpecAugment: masks along each axis
    mixup: float = Field(0, ge=0, le=8)  # alpha of the Beta distribution; 0 is off


class NetworkConfig(_Section):
    """`DeepAudioEmotionCNN`, the reference, or `VoiceResNet`, small and fast."""

    kind: Literal["cnn", "resnet"] = "cnn"
    width: float = Field(1.0, gt=0, le=4)  # times the channels of the kind
    members: int = Field(1, ge=1, le=8)  # networks whose logits are averaged
    floored: int = Field(0, ge=0, le=8)  # of them, that hear a floor of noise, `lab/floored.py`
    dropout: float = Field(0.3, ge=0, le=0.9)  # between, or before, the fully connected layers
    block_dropout: float = Field(0, ge=0, le=0.9)  # of whole maps, after each block of `cnn`

    @model_validator(mode="after")
    def _block_dropout_has_blocks(self) -> Self:
        if self.kind == "resnet" and self.block_dropout:
            raise ValueError("block_dropout is a setting of kind 'cnn'; leave it 0 for 'resnet'")
        return self

    def of_member(self, number: int) -> NetworkConfig:
        """What one of several is alone; the last `floored` of them hear the floor."""
        floored = int(number >= self.members - self.floored)
        return self.model_copy(update={"members": 1, "floored": floored})

    @model_validator(mode="after")
    def _floored_are_members(self) -> Self:
        if self.floored > self.members:
            raise ValueError(f"floored {self.floored} is more than the members, {self.members}")
        return self


class TrainConfig(_Section):
    """How the weights are found."""

    seed: int = Field(0, ge=0)
    epochs: int = Field(45, ge=0)  # 0: the weights, or the mean of them, that it begins with
    # First epochs, on pictures averaged 2x2, a quarter of the cost.
    coarse_epochs: int = Field(25, ge=0)
    dropout_from: float = Field(0.5, ge=0, lt=1)  # share of the epochs before dropout sets in
    # What says on validation clips which epoch is best; the loss is steadier where they are few.
    best_by: Literal["macro_f1", "loss"] = "macro_f1"
    patience: int = Field(20, ge=1)  # epochs without a better one before stopping
    batch_size: int = Field(16, ge=2)
    lr: float = Field(1e-3, gt=0, le=1)
    fine_lr: float = Field(6e-4, gt=0, le=1)  # of the epochs after the coarse ones: their own cycle
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    warmup: float = Field(0.2, gt=0, lt=1)  # share of the steps of one-cycle that rise
    weight_decay: float = Field(0.02, ge=0)  # decoupled from the rate's gradient step, as AdamW
    gradient_clip: float = Field(0, ge=0)  # largest norm of a step's gradient; 0: any
    average: float = Field(0.998, ge=0, lt=1)  # decay of the weights' running mean; 0: none kept
    # Clips of further corpora that an epoch hears, for each clip of the first; 0: all of them.
    further: float = Field(0, ge=0)
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    class_weights: Literal["source", "balanced", "root", "none"] | tuple[float, ...] = "source"
    # `auto`: bf16 where the processor or GPU computes in it; elsewhere it is many times slower.
    precision: Literal["auto", "bf16-mixed", "32-true"] = "auto"
    workers: int = Field(1, ge=0)  # processes that decode and augment

    @model_validator(mode="after")
    def _ends_fine(self) -> Self:
        if self.coarse_epochs and self.coarse_epochs >= self.epochs:
            raise ValueError(
                f"coarse_epochs {self.coarse_epochs} leave no epoch of {self.epochs} at full "
                "resolution, the only one that the model is used at"
            )
        return self


class SplitConfig(_Section):
    """Shares held back: of each class' clips, or of each corpus' speakers."""

    by: Literal["clip", "speaker"] = "clip"
    test: float = Field(0.2, ge=0, lt=1)
    val: float = Field(0.05, gt=0, lt=1)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Self:
        if self.test + self.val >= 1:
            raise ValueError(f"test {self.test} and val {self.val} leave nothing to train on")
        return self


class Config(_Section):
    """A whole training."""

    name: str = Field("source", pattern=r"^[\w.-]+$")
    labels: tuple[str, ...] = EMOTIONS  # in the order of every array; of one's own: in lower case
    frontend: FrontendConfig = FrontendConfig()
    augment: AugmentConfig = AugmentConfig()
    network: NetworkConfig = NetworkConfig()
    train: TrainConfig = TrainConfig()
    split: SplitConfig = SplitConfig()

    @field_validator("labels", mode="before")
    @classmethod
    def _labels_tell_apart(cls, value: Any) -> Any:
        names = value.split(",") if isinstance(value, str) else list(value)
        names = [str(name).strip() for name in names]
        if len(set(names)) < max(2, len(names)) or not all(n and n == n.lower() for n in names):
            raise ValueError("needs two or more different names in lower case, as bored,engaged")
        return names

    @model_validator(mode="after")
    def _weight_per_class(self) -> Self:
        weights, labels = self.train.class_weights, self.labels
        if weights == "source" and labels != EMOTIONS:
            raise ValueError(
                "train.class_weights 'source' are for the eight emotions; take root, balanced or "
                f"none for {', '.join(labels)}"
            )
        if not isinstance(weights, str) and (len(weights) != len(labels) or min(weights) <= 0):
            raise ValueError(
                f"train.class_weights needs {len(labels)} positive numbers, in the order {labels}"
            )
        return self

    @model_validator(mode="after")
    def _spectral_knows_where_the_voice_is(self) -> Self:
        frontend = self.frontend
        needs_mask = self.augment.spectral_p or self.augment.crop_dur or self.augment.margin_dur
        if needs_mask and not (frontend.mask and frontend.placement == "start"):
            raise ValueError(
                "augment.spectral_p, crop_dur and margin_dur change how long the voice is: they "
                "need frontend.mask true and frontend.placement start"
            )
        if self.augment.crop_dur > frontend.win_dur:
            raise ValueError(
                f"augment.crop_dur {self.augment.crop_dur} s is longer than the window of "
                f"{frontend.win_dur} s; shorten it, or leave it 0"
            )
        return self

    @model_validator(mode="after")
    def _coarse_needs_cnn(self) -> Self:
        if self.network.kind == "resnet" and self.train.coarse_epochs:
            raise ValueError(
                "train.coarse_epochs is for network.kind cnn; set it to 0 for resnet, which "
                "shrinks its pictures itself"
            )
        return self

    @model_validator(mode="after")
    def _floored_need_decibels(self) -> Self:
        frontend = self.frontend
        fits = self.network.kind == "resnet" and frontend.features in {"contrast", "pitch"}
        if self.network.floored and not (fits and frontend.normalization == "corpus"):
            raise ValueError(
                "network.floored lays a floor under pictures of dB: it needs network.kind resnet, "
                "frontend.features contrast or pitch, and frontend.normalization corpus"
            )
        return self

    @model_validator(mode="after")
    def _masks_fit(self) -> Self:
        frames = 1 + self.frontend.window // self.frontend.hop_length
        for name, most in [("freq_mask", self.frontend.n_mels), ("time_mask", frames)]:
            if getattr(self.augment, name) >= most:
                raise ValueError(
                    f"augment.{name} {getattr(self.augment, name)} would hide the whole picture "
                    f"of {most}; make it smaller"
                )
        return self


def load_config(source: str | Path, overrides: Iterable[str] = ()) -> Config:
    """A configuration by name or from a YAML file, with `section.key=value` overrides.

    Raises:
        ConfigError: there is no such configuration or file, it is not YAML, a key is unknown, a
            value is out of range or contradicts another.

    >>> load_config("source", ["train.lr=5e-4"]).train.lr
    0.0005
    """
    values = values_of(source)
    for override in overrides:
        override_value(values, override)
    return make_config(values, str(source))


def make_config(values: dict[str, Any], origin: str) -> Config:
    """`values` checked; `origin` names their source in the error."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{origin}: " + "; ".join(map(_in_words, error.errors()))) from error


def _in_words(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"] if part != "tuple[float, ...]")
    if error["type"] == "extra_forbidden":
        return f"unknown key '{where}'"
    message = error["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(error["input"], dict | BaseModel) else f" (got {error['input']!r})"
    return f"{where}: {message}{shown}" if where else message + shown
