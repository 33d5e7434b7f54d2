"""The model file: an ONNX graph from waveform to probabilities, with metadata that describe it.

The file is the contract with every consumer.  Its metadata hold the few values that readers need,
each under a key of its own: text as it is, anything else as JSON.  `ModelInfo` is their schema.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ..datasets.provenance import FittedClips
from ..errors import ModelError, translated
from ..labels import check_labels
from .session import open_session, packaged

FORMAT = "audio-emotion-3"
STRENGTH = 0.3  # of an enrolment; what models without one of three corpora chose, docs/enrolment.md
INPUT, OUTPUTS = "waveform", ("probabilities", "extent", "voicing")
Share = Annotated[float, Field(ge=0, le=1)]
LogProbability = Annotated[float, Field(ge=-30, le=0)]  # in nats
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f<>\"|\[\]]*$")]  # that breaks no format


class _Schema(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=()
    )


class Calibration(_Schema):
    """What turns logits into trustworthy confidences, and on which clips it was found."""

    temperature: float = Field(1.0, gt=0)  # logits are divided by it
    threshold: Share = 1.0  # confidence from which a prediction counts as confident
    target_accuracy: Share = 0.9  # the accuracy that the threshold was chosen for
    chosen_on: Text = "the validation split"
    coverage: Share = 0.0  # share of those clips predicted with confidence
    clips: int = Field(0, ge=0)  # how many they are
    ece_before: Share | None = None  # expected calibration error at temperature 1
    ece_after: Share | None = None  # and at the temperature found


class Enrolment(_Schema):
    """What a speaker's neutral voice is compared with, and how much of the difference counts."""

    reference: dict[str, LogProbability]  # mean over training's neutral speakers, by label
    speakers: int = Field(ge=1)  # that it is the mean of, from the validation split
    strength: Share = STRENGTH  # of the difference that is subtracted, given much speech


class ModelInfo(_Schema):
    """The metadata of a model file."""

    format: Text
    name: Text  # of the configuration that trained it
    labels: tuple[str, ...]  # in the order of the probabilities
    sampling_rate: int = Field(ge=8_000, le=48_000)  # Hz of the waveform
    win_dur: float = Field(gt=0.1, le=30)  # s that the model takes at once
    precision: Text  # of the stored weights
    calibration: Calibration
    frontend: dict[
        str, int | float | Text
    ]  # parameters of the front end, with which inputs can be drawn
    trained_on: Text  # names of the corpora
    citation: Text
    licence: Text
    protocol: Text  # how the clips were split
    provenance: dict[
        str, Text | list[Text]
    ]  # the clips it was fitted on, as `FittedClips` reads them
    scores: dict[str, float]  # of the last epoch
    package_version: Text
    created: Text  # ISO 8601
    enrolment: Enrolment | None = None  # what `Classifier.enroll` needs

    @field_validator("labels")
    @classmethod
    def _check_labels(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        return check_labels(labels)

    @field_validator("enrolment")
    @classmethod
    def _check_reference(cls, found: Enrolment | None, info: ValidationInfo) -> Enrolment | None:
        if found and tuple(found.reference) != info.data.get("labels"):
            raise ValueError("its reference has other labels than the model")
        return found

    @model_validator(mode="after")
    def _check_provenance(self) -> Self:
        FittedClips(self.provenance)
        return self

    @cached_property
    def fitted(self) -> FittedClips:
        """The clips that the model was trained, chosen and tested with."""
        return FittedClips(self.provenance)

    def to_metadata(self) -> dict[str, str]:
        """The values as an ONNX file stores them."""
        values = self.model_dump(mode="json")
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}
        return {key: text for key, text in texts.items() if values[key] is not None}


def parse_info(metadata: dict[str, str], origin: str) -> ModelInfo:
    """Check the metadata of a model file.

    Raises:
        ModelError: the format is another one, or a value is missing, of the wrong type, out of
            range, NaN or unsafe; the message names `origin` and the key.
    """
    found = metadata.get("format")
    if found != FORMAT:
        what = f"of format {found!r}" if found else "an ONNX model of another program"
        raise ModelError(
            f"{origin} is {what}, not {FORMAT!r}; use the version of this package that made it, or "
            "train and export again"
        )
    try:
        values = {key: _parsed(key, text) for key, text in metadata.items()}
        return ModelInfo.model_validate_json(json.dumps(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "provenance"
        raise ModelError(f"{origin}: metadata '{where}': {first['msg']}") from error


def _parsed(key: str, text: str) -> Any:
    field = ModelInfo.model_fields.get(key)
    if field is None or field.annotation is str or get_origin(field.annotation) is Annotated:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text  # which is of the wrong type, as the schema then says


def open_model(path: Path, threads: int) -> tuple[Any, ModelInfo]:
    """Open a model file.

    Returns:
        ONNX Runtime's session and the checked metadata.

    Raises:
        ModelError: the file is missing, damaged or not a model file of this package.
    """
    if not path.is_file():
        raise ModelError(f"there is no model file {path}")
    with translated(ModelError, path):
        session = open_session(path, threads)
        metadata = session.get_modelmeta().custom_metadata_map
    info = parse_info(metadata, str(path))
    _check_signature(session, info, path)
    return session, info


def _check_signature(session: Any, info: ModelInfo, path: Path) -> None:
    """Refuse a graph whose inputs or outputs are not those of the contract."""
    inputs = {value.name: value.shape for value in session.get_inputs()}
    outputs = {value.name: value.shape for value in session.get_outputs()}
    if list(inputs) != [INPUT] or len(inputs[INPUT]) != 2 or tuple(outputs) != OUTPUTS:
        raise ModelError(f"{path} does not map {INPUT} to {', '.join(OUTPUTS)}")
    for name, width in zip(OUTPUTS, (len(info.labels), 2, 1), strict=True):
        shape = outputs[name]
        if len(shape) != 2 or (isinstance(shape[1], int) and shape[1] != width):
            raise ModelError(f"{path}: {name} has shape {shape}, not (batch, {width})")


def default_model() -> Path:
    """Return the path of the model that comes with the package."""
    return packaged("default.onnx")
