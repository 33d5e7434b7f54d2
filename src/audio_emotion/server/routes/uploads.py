"""The one recording of a request, in a private file whose name says nothing."""

import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request

from ...errors import ServiceError
from ...notices import Code

FORM = "multipart/form-data"
SOUND = ("audio/", "video/", "application/octet-stream", "application/ogg")
PRIVATE = 0o600  # mode of the file
TEXTS = ("options", "speaker")  # parts of a form that are JSON
TEXT_BYTES = 64 << 10  # of each of them


@dataclass(frozen=True)
class Upload:
    """A recording that has arrived, and the parts of its form beside it, which are JSON."""

    path: Path
    options: str | None = None
    speaker: str | None = None


@asynccontextmanager
async def received(request: Request, folder: Path, fields: int) -> AsyncIterator[Upload]:
    """Yield the recording of a request; its file is gone at the end, unless it was moved away.

    Args:
        request: with the recording as its body, or as the part `file` of a form.
        folder: that only this service can read.
        fields: parts of a form that may be beside the file.

    Raises:
        ServiceError: there is no recording, or more than one, or the content type holds none.
    """
    path = folder / f"{secrets.token_hex(16)}.audio"
    try:
        with path.open("xb") as file:
            path.chmod(PRIVATE)
            parts = await _receive(request, file, fields)
        yield Upload(path, **parts)
    finally:
        path.unlink(missing_ok=True)


async def _receive(request: Request, file: IO[bytes], fields: int) -> dict[str, str]:
    media_type = request.headers.get("content-type", SOUND[2]).partition(";")[0].strip().lower()
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ServiceError("send the recording without Content-Encoding", Code.UNSUPPORTED_MEDIA)
    if media_type == FORM:
        return await _form(request, file, fields)
    if not media_type.startswith(SOUND):
        raise ServiceError(
            f"send {FORM} with the part file, or the recording itself as audio/*",
            Code.UNSUPPORTED_MEDIA,
        )
    async for chunk in request.stream():
        file.write(chunk)
    return {}


async def _form(request: Request, file: IO[bytes], fields: int) -> dict[str, str]:
    files = 1 + len(TEXTS)  # though one is right, so that each wrong one can be named
    form = await request.form(max_files=files, max_fields=fields, max_part_size=TEXT_BYTES)
    try:
        for name in TEXTS:
            if isinstance(form.get(name), UploadFile):
                raise ServiceError(
                    f"the part {name} is a text, not a file; curl sends the text of a file with "
                    f"-F {name}='<FILE'",
                    Code.BAD_REQUEST,
                )
        upload = form.get("file")
        if not isinstance(upload, UploadFile):
            raise ServiceError("the form needs the recording as the part file", Code.BAD_REQUEST)
        texts = {name: text for name in TEXTS if isinstance(text := form.get(name), str)}
        if len(form.multi_items()) > 1 + len(texts):
            raise ServiceError(
                f"the parts of the form are one file and, as text, {' and '.join(TEXTS)}",
                Code.BAD_REQUEST,
            )
        await run_in_threadpool(shutil.copyfileobj, upload.file, file)
        return texts
    finally:
        await form.close()
