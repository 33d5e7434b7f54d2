"""Every error this package raises on purpose, and one table that turns foreign errors into ours.

    AudioEmotionError
    ├── AudioError            a recording cannot be read or used
    ├── ConfigError           a setting is unknown, out of range or contradicts another
    ├── CorpusError           a corpus is missing, has an unknown layout or lacks what was asked for
    ├── DownloadError         a download failed or does not match its published checksum
    ├── ModelError            a model file is missing, damaged or of another format
    ├── OutputError           an output exists already or cannot be written
    ├── ServiceError          a service refuses or cannot do what it was asked
    ├── SpeakerError          a speaker's file is missing, damaged, or belongs to another model
    ├── StoppedError          Ctrl-C was pressed; finished work is kept
    └── TrainingError         a run cannot be started, resumed or exported

Each message names the file or value and says what to do; `code` is for programs.  Errors of other
libraries are chained.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from .notices import Code


class AudioEmotionError(Exception):
    """Base class of every error that this package raises on purpose."""

    code = Code.FAILED


class AudioError(AudioEmotionError):
    """A recording cannot be read or used."""

    code = Code.BAD_AUDIO


class ConfigError(AudioEmotionError):
    """A setting is unknown, out of range or contradicts another."""

    code = Code.BAD_SETTING


class CorpusError(AudioEmotionError):
    """A corpus is missing, has an unknown layout or lacks what was asked for."""

    code = Code.BAD_CORPUS


class DownloadError(AudioEmotionError):
    """A download failed or does not match its published checksum."""

    code = Code.BAD_DOWNLOAD


class ModelError(AudioEmotionError):
    """A model file is missing, damaged or of another format."""

    code = Code.BAD_MODEL


class OutputError(AudioEmotionError):
    """An output exists already or cannot be written."""

    code = Code.BAD_OUTPUT


class ServiceError(AudioEmotionError):
    """A service refuses or cannot do what it was asked.

    Args:
        message: what is wrong, and what to do.
        code: which of the reasons.
        retry_after: seconds after which the request is worth another try.
        request_id: of the request that failed, to be found in the service's log.
    """

    def __init__(
        self,
        message: str,
        code: Code,
        *,
        retry_after: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        self.request_id = request_id


class SpeakerError(AudioEmotionError):
    """A speaker's file is missing, damaged, or belongs to another model."""

    code = Code.BAD_SPEAKER


class StoppedError(AudioEmotionError):
    """Ctrl-C was pressed; finished work is kept."""

    code = Code.STOPPED


class TrainingError(AudioEmotionError):
    """A run cannot be started, resumed or exported."""

    code = Code.BAD_TRAINING


# Foreign errors by qualified name, so that naming one imports nothing; a name that ends in a dot
# stands for every error of that package.  The first entry along an error's ancestry wins.
FOREIGN = {
    "builtins.FileNotFoundError": "does not exist",
    "builtins.IsADirectoryError": "is a directory; name a file in it",
    "builtins.PermissionError": "cannot be opened: permission denied",
    "builtins.UnicodeError": "is not UTF-8 text",
    "zipfile.BadZipFile": "is not a readable zip archive",
    "zlib.error": "is damaged",
    "json.decoder.JSONDecodeError": "is not JSON",
    "_csv.Error": "is not CSV",
    "yaml.": "is not YAML",
    "soundfile.": "is truncated or damaged",
    "av.": "is truncated or damaged",
    "pyarrow.": "is truncated or damaged",
    "optuna.": "is not a readable database of trials",
    "sqlalchemy.": "is not a readable database of trials",
    "onnxruntime.": "is not a readable ONNX model",
    "safetensors_rust.": "is not a readable safetensors file",
    "safetensors.": "is not a readable safetensors file",
    "builtins.OSError": "cannot be read or written",
    "builtins.EOFError": "ends too early",
}


@contextmanager
def translated(to: type[AudioEmotionError], name: object) -> Iterator[None]:
    """Raise any error of `FOREIGN` inside the block as `to`, with `name` and what is wrong.

    >>> with translated(AudioError, "clip.wav"):
    ...     open("/no/such/file")
    Traceback (most recent call last):
    audio_emotion.errors.AudioError: clip.wav does not exist
    """
    try:
        yield
    except Exception as error:
        words = _in_words(error)
        if isinstance(error, AudioEmotionError) or words is None:
            raise
        raise to(f"{name} {words}") from error


def _in_words(error: Exception) -> str | None:
    for ancestor in type(error).__mro__:
        name = f"{ancestor.__module__}.{ancestor.__qualname__}"
        package = f"{ancestor.__module__.partition('.')[0]}."
        words = FOREIGN.get(name) or FOREIGN.get(package)
        if words:
            plain = name.startswith("builtins.") and name != "builtins.OSError"
            detail = getattr(error, "strerror", None) or str(error).strip()
            return words if plain or not detail else f"{words}: {detail.splitlines()[0]}"
    return None
