"""Kills at each operation inside an output folder in turn: the same command always goes on.

    python tests/crash.py [--command train] [--most 20]

An audit hook counts what is opened, made, renamed or removed inside the folder, and kills its own
process at one of them; the next run has to finish, to give what a run without a kill gives, and to
leave nothing else.  Runs are forked from a process that has imported everything.
"""

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import traceback
import warnings
import zipfile
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import soundfile

from audio_emotion.cli.app import app
from audio_emotion.datasets import load_corpus
from audio_emotion.datasets.download import Archive, download_ravdess, md5
from audio_emotion.evaluation.protocols import build
from audio_emotion.training.crossval import crossval
from audio_emotion.training.model import load_model
from audio_emotion.training.train import train
from audio_emotion.training.tune import parse_space, tune
from conftest import OPTIONS, RATE, tiny, voice

Command = Callable[[Path], object]  # writes to a folder, or goes on there
VOLATILE = ("tensorboard", "events.out", "seconds")  # what differs between equal runs


def commands(folder: Path) -> dict[str, Command]:
    """Return the commands, and make what they read in `folder`."""
    corpus = load_corpus(recordings(folder / "RAVDESS"))
    config, space = tiny("train.epochs=2"), parse_space(["train.lr=1e-3,1e-2"])
    server, archive = served(folder / "served", corpus.clips[0].path)
    protocol = build("grouped-2", corpus)

    def predict(out: Path) -> None:
        source = str(corpus.clips[0].path.parent)
        app(["predict", source, "--out", str(out / "all.csv")], standalone_mode=False)

    def train_once(out: Path) -> None:
        resume = (out / "run" / "config.yaml").exists()
        train(corpus, config, out / "run", resume=resume, trainer_options=OPTIONS)

    return {
        "predict": predict,
        "download": lambda out: download_ravdess(out, base_url=server, archives=(archive,)),
        "train": train_once,
        "crossval": lambda out: crossval(
            corpus, protocol, tiny("train.epochs=1"), out / "folds", trainer_options=OPTIONS
        ),
        "tune": lambda out: tune(
            corpus, tiny("train.epochs=1"), space, out / "t", trials=2, trainer_options=OPTIONS
        ),
    }


def recordings(root: Path) -> Path:
    """Make a corpus of six actors."""
    for actor in range(1, 7):
        for emotion in range(1, 9):
            path = root / f"Actor_{actor:02}" / f"03-01-0{emotion}-01-01-01-0{actor}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, voice(0.3, 80 + 30 * emotion, seed=10 * actor + emotion), RATE)
    return root


def served(folder: Path, clip: Path) -> tuple[str, Archive]:
    """Serve an archive; return the address of its folder, and what was published of it."""
    folder.mkdir()
    path = folder / "Audio_Speech_Actors_01-24.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(clip, f"Actor_01/{clip.name}")

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}", Archive(path.name, md5(path))


def run(command: Command, out: Path, kill_at: int | None = None) -> tuple[int, int]:
    """Run a command in a fork; return its exit status and how many operations there were."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            count_operations(out, writer, kill_at)
            command(out)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        operations = len(pipe.read())
    return os.waitpid(child, 0)[1], operations


def count_operations(out: Path, writer: int, kill_at: int | None) -> None:
    """Write a byte for each operation inside `out`, and kill this process at one of them."""
    prefix, count = str(out) + os.sep, 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event.partition(".")[0] not in {"open", "os", "shutil", "sqlite3"}:
            return
        paths = [os.fsdecode(a) for a in arguments if isinstance(a, str | bytes | os.PathLike)]
        if any(path.startswith(prefix) for path in paths):
            count += 1
            os.write(writer, b".")
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def results(out: Path) -> dict[str, object]:
    """Return what a command made: names, the text of tables, and weights."""
    found: dict[str, object] = {}
    trials = sorted(path.name for path in out.glob("t/trial-*"))  # one that was killed has a gap
    for path in sorted(out.rglob("*")):
        name = re.sub(r"trial-\d+", lambda m: str(trials.index(m[0])), str(path.relative_to(out)))
        if any(part in name for part in VOLATILE):
            continue
        found[name] = None
        if path.name in {"all.csv", "predictions.json"}:
            found[name] = path.read_text()
        if path.name == "model.safetensors":
            state = load_model(path).model.state_dict()
            found[name] = {key: value.tolist() for key, value in state.items()}
    return found


def crash(command: Command, folder: Path, most: int) -> tuple[int, list[str]]:
    """Kill a command at its operations; return how many kills there were, and what failed."""
    whole = folder / "whole"
    whole.mkdir()
    status, operations = run(command, whole)
    assert status == 0, "it fails without a kill"
    expected, failures = results(whole), []
    step = max(1, -(-operations // most))
    kills = range(1, operations + 1, step)
    for at in kills:
        out = folder / f"killed-{at}"
        out.mkdir()
        status, _ = run(command, out, at)
        again, _ = run(command, out)
        if status != signal.SIGKILL or again:
            failures.append(f"operation {at}: status {status}, then {again}")
        elif results(out) != expected:
            names = set(results(out)) ^ set(expected) or "the same files with other contents"
            failures.append(f"operation {at}: {names}")
        shutil.rmtree(out)
    return len(kills), failures


def main() -> None:
    """Print how many kills each command survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", help="only this one")
    parser.add_argument(
        "--most", type=int, default=10_000, help="kills of a command, spread evenly"
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    failed = False
    with tempfile.TemporaryDirectory() as name:
        os.environ["AUDIO_EMOTION_CACHE"] = str(Path(name, "cache"))
        for command, function in commands(Path(name)).items():
            if arguments.command not in {None, command}:
                continue
            folder = Path(name, command)
            folder.mkdir()
            kills, failures = crash(function, folder, arguments.most)
            print(f"{command}: {kills} kills, {len(failures)} failures", flush=True)
            print("".join(f"  {failure}\n" for failure in failures), end="", flush=True)
            failed = failed or bool(failures)
    sys.exit(failed)


if __name__ == "__main__":
    main()
