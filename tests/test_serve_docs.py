"""The documents of the service: every test that the table of threats names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = {
    "G": "test_serve_guards.py",
    "W": "test_serve_work.py",
    "R": "test_serve_realtime.py",
    "J": "test_serve_jobs.py",
    "S": "test_serve.py",
}


def test_each_threat_names_tests_that_exist() -> None:
    table = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [row.split("|")[3] for row in table.splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 25
    for row in rows:
        named = re.findall(r"([GWRJS]) ((?:`\w+`(?:, )?)+)", row)
        assert named, row
        for letter, names in named:
            text = (ROOT / "tests" / FILES[letter]).read_text(encoding="utf-8")
            for name in re.findall(r"`(\w+)`", names):
                assert f"def test_{name}(" in text, name


def test_every_event_and_message_of_a_session_is_documented() -> None:
    page = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    folder = ROOT / "src" / "audio_emotion" / "server" / "routes"
    code = "".join((folder / name).read_text() for name in ("realtime.py", "session.py"))
    events = set(re.findall(r'Event\(\s*"([a-z.]+)"', code))
    assert events == {
        *("session.created", "session.closed", "utterance.start", "utterance.end"),
        *("result", "error"),
    }
    assert all(f"`{event}`" in page for event in events)
