"""Parameters of a request, from its query or from the part `options` of a form, and its format."""

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from ...errors import ServiceError
from ...formats.timelines import MEDIA_TYPES
from ...notices import Code
from ...timeline.settings import TimelineSettings

DEFAULTS = TimelineSettings()
EMOTIONS = {"json": "application/json", "csv": "text/csv"}  # formats and their media types
TIMELINES = MEDIA_TYPES
EXPLANATIONS = {"json": "application/json", "svg": "image/svg+xml"}

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Options(BaseModel):
    """What every request about a recording may say; a name that is not known is an error."""

    model_config = ConfigDict(extra="forbid")

    response_format: str | None = Field(
        None, max_length=16, description="By default what the header Accept asks for, or json."
    )
    track: int | None = Field(
        None, ge=1, le=99, description="Of a recording with several audio tracks, from 1."
    )


class TimelineOptions(Options):
    """What a timeline may be told; durations in seconds.

    The least values keep the work of a request in proportion to its recording.
    """

    win_dur: float = Field(DEFAULTS.win_dur, ge=0.1, le=30, description="Predicted at once.")
    hop_dur: float = Field(DEFAULTS.hop_dur, ge=0.05, le=30, description="Between predictions.")
    step_dur: float = Field(DEFAULTS.step_dur, ge=0.02, le=10, description="Of the time axis.")
    min_dur: float = Field(DEFAULTS.min_dur, ge=0.05, le=60, description="Of a segment, at least.")
    margin: Share = DEFAULTS.margin
    uncertain_below: Share = DEFAULTS.uncertain_below
    speech_threshold: Share = DEFAULTS.speech_threshold
    gap_dur: float = Field(DEFAULTS.gap_dur, ge=0.05, le=60, description="That ends speech.")
    pad_dur: float = Field(DEFAULTS.pad_dur, ge=0, le=10, description="Kept around speech.")

    def settings(self) -> TimelineSettings:
        """Return them as the settings of a timeline.

        Raises:
            ConfigError: they contradict each other.
        """
        return TimelineSettings(**self.model_dump(exclude=set(Options.model_fields)))


T = TypeVar("T", bound=Options)


def merged(options: T, part: str | None) -> T:
    """Return the options of the query with those of a JSON part over them.

    Raises:
        ServiceError: the part is not JSON, or says what is unknown or out of range.
    """
    if part is None:
        return options
    try:
        given = type(options).model_validate_json(part)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ServiceError(f"options: {'; '.join(found)}", Code.BAD_SETTING) from None
    return options.model_copy(update=given.model_dump(include=given.model_fields_set))


def choose_format(named: str | None, request: Request, formats: Mapping[str, str]) -> str:
    """Return the format that was named, or the first that the header Accept prefers, or json.

    Raises:
        ServiceError: there is no such format here.
    """
    choices = ", ".join(formats)
    if named is not None:
        if named not in formats:
            raise ServiceError(f"response_format is one of {choices}", Code.BAD_SETTING)
        return named
    wanted = _media_types(request.headers.getlist("accept"))
    for media_type in wanted:
        for name, offered in formats.items():
            if media_type in {"*/*", offered, f"{offered.partition('/')[0]}/*"}:
                return name
    if wanted:
        raise ServiceError(f"name one of {choices} as response_format", Code.NOT_ACCEPTABLE)
    return "json"


def _media_types(headers: Sequence[str]) -> list[str]:
    """Return the media types of Accept headers, the most wanted first."""
    found: list[tuple[float, str]] = []
    for item in ",".join(headers).split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if media_type:
            found.append((_quality(parameters), media_type))
    return [name for quality, name in sorted(found, key=lambda pair: -pair[0]) if quality > 0]


def _quality(parameters: Sequence[str]) -> float:
    values = dict(part.partition("=")[::2] for part in parameters)
    try:
        return float(values.get("q", 1))
    except ValueError:
        return 0.0
