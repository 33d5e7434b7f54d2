"""Reading audio: every format, every way to be broken."""

import errno
import io
import os
import struct
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from audio_emotion import AudioEmotionError, read_audio, resample
from audio_emotion.audio import Mixer, as_signal, buffered, expand, load_audio
from audio_emotion.audio.ffmpeg import MAX_GAPS_DUR, _Clock, _packets
from audio_emotion.errors import AudioError
from audio_emotion.notices import AudioWarning, Code, Notice
from conftest import RATE, through_ffmpeg, voice

PCM16 = 2 / 2**15  # quantisation of 16-bit samples, with the rounding of full scale
PCM8 = 2 / 2**7


def encoded(signal: np.ndarray, **options: str) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, signal, RATE, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    [("PCM_U8", PCM8), ("PCM_16", PCM16), ("PCM_24", 1e-6), ("PCM_32", 1e-6), ("FLOAT", 0)],
)
def test_wav_of_every_width_returns_its_samples(subtype: str, tolerance: float) -> None:
    signal, rate = read_audio(encoded(voice(), format="WAV", subtype=subtype))
    assert rate == RATE
    assert signal.dtype == np.float32
    np.testing.assert_allclose(signal, voice(), atol=tolerance)


def test_flac_is_lossless() -> None:
    signal, _ = read_audio(encoded(voice(), format="FLAC", subtype="PCM_24"))
    np.testing.assert_allclose(signal, voice(), atol=1e-6)


def test_stereo_is_averaged() -> None:
    stereo = np.stack([voice(), np.zeros_like(voice())], axis=1)
    signal, _ = read_audio(encoded(stereo, format="WAV", subtype="FLOAT"))
    np.testing.assert_allclose(signal, voice() / 2, atol=1e-7)


@pytest.mark.parametrize(
    "options",
    [
        {"format": "OGG", "subtype": "VORBIS"},
        {"format": "OGG", "subtype": "OPUS"},
        {"format": "MP3", "subtype": "MPEG_LAYER_III"},
    ],
)
def test_lossy_formats_keep_length_and_power(options: dict[str, str]) -> None:
    signal, rate = read_audio(encoded(voice(), **options))
    assert rate == RATE
    assert len(signal) == pytest.approx(len(voice()), rel=0.05)
    assert np.square(signal).sum() == pytest.approx(np.square(voice()).sum(), rel=0.1)


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [("mp4", "aac", 24_000), ("adts", "aac", 24_000), ("webm", "libopus", 48_000)],
)
def test_ffmpeg_formats_keep_length_and_power(container: str, codec: str, rate: int) -> None:
    original = resample(voice(), RATE, rate)
    signal, read_rate = read_audio(through_ffmpeg(original, container, codec, rate))
    assert read_rate == rate
    assert len(signal) == pytest.approx(len(original), rel=0.05)
    assert np.square(signal).sum() == pytest.approx(np.square(original).sum(), rel=0.1)


@pytest.mark.parametrize("size", [0, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_wav_that_was_streamed_is_read_to_its_end(size: int) -> None:
    content = bytearray(encoded(voice(), format="WAV", subtype="PCM_16"))
    at = content.index(b"data") + 4  # its size, never filled in
    content[at : at + 4] = struct.pack("<I", size)
    signal, _ = read_audio(bytes(content))
    np.testing.assert_allclose(signal, voice(), atol=PCM16)


def test_flac_that_was_streamed_is_read_to_its_end() -> None:
    content = bytearray(encoded(voice(), format="FLAC", subtype="PCM_24"))
    content[21] &= 0xF0  # STREAMINFO's number of samples, 36 bits: 0 is «unknown»
    content[22:26] = bytes(4)
    signal, _ = read_audio(bytes(content))
    np.testing.assert_allclose(signal, voice(), atol=1e-6)


def test_path_bytes_and_file_are_the_same(wav: Path) -> None:
    expected, rate = read_audio(wav)
    with wav.open("rb") as file:
        for source in (str(wav), wav.read_bytes(), file):
            signal, source_rate = read_audio(source)
            assert source_rate == rate
            np.testing.assert_array_equal(signal, expected)


def test_what_is_read_whole_has_a_limit(wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audio_emotion.audio.reading.MAX_SAMPLES", len(voice()) - 1)
    with pytest.raises(AudioError, match="samples at 24000 Hz; read less"):
        read_audio(wav)
    assert len(load_audio(wav, max_dur=1.0)[0]) == RATE


def test_decoding_stops_at_the_maximum_duration(wav: Path) -> None:
    with pytest.warns(AudioWarning, match=r"voice\.wav: longer than 0\.5 s"):
        signal, rate = read_audio(wav, max_dur=0.5)
    assert len(signal) == rate // 2


def test_a_header_that_promises_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    content = bytearray(encoded(voice(), format="FLAC"))
    content[21] |= 0x0F  # the upper bits of STREAMINFO's number of samples
    with pytest.raises(AudioError, match=r"truncated"):
        read_audio(bytes(content))


BROKEN = {
    "is empty": b"",
    "is not audio": b"Dear sir or madam,\nthis is a letter.\n" * 40,
    "holds no samples": encoded(np.zeros(0, np.float32), format="WAV"),
    "NaN": encoded(np.full(100, np.nan, np.float32), format="WAV", subtype="FLOAT"),
    "infinite": encoded(np.full(100, np.inf, np.float32), format="WAV", subtype="FLOAT"),
}


@pytest.mark.parametrize("message", BROKEN)
def test_bad_content_is_refused_in_words(message: str) -> None:
    with pytest.raises(AudioError, match=message):
        read_audio(BROKEN[message])


def test_a_wav_header_may_announce_a_little_too_much() -> None:
    """Recorders round up to a block; 8 bytes are 4 samples."""
    content = bytearray(encoded(voice(), format="WAV", subtype="PCM_16"))
    content[40:44] = (int.from_bytes(content[40:44], "little") + 8).to_bytes(4, "little")
    signal, _ = read_audio(bytes(content))
    assert len(signal) == len(voice())


@pytest.mark.parametrize(("format_", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16")])
def test_truncated_recording_is_refused(format_: str, subtype: str) -> None:
    content = encoded(voice(), format=format_, subtype=subtype)
    with pytest.raises(AudioError, match="truncated"):
        read_audio(content[: len(content) // 2])


def test_absurd_rate_is_refused() -> None:
    content = bytearray(encoded(voice(), format="WAV"))
    content[24:28] = struct.pack("<I", 4_000_000)
    with pytest.raises(AudioError, match="4000000 Hz"):
        read_audio(bytes(content))


def test_absurd_number_of_channels_is_refused() -> None:
    with pytest.raises(AudioError, match="100 channels"):
        read_audio(encoded(np.zeros((10, 100), np.float32), format="WAV"))


def test_missing_file_and_directory_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"none\.wav does not exist"):
        read_audio(tmp_path / "none.wav")
    with pytest.raises(AudioEmotionError, match="is a directory"):
        read_audio(tmp_path)


def test_playlist_cannot_name_other_files(tmp_path: Path, wav: Path) -> None:
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:5,\n{wav}\n#EXT-X-ENDLIST\n")
    with pytest.raises(AudioError):
        read_audio(playlist)


def test_resampling_keeps_a_tone_and_its_level() -> None:
    time = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    resampled = resample(tone, RATE, 16_000)
    spectrum = np.abs(np.fft.rfft(resampled * np.hanning(16_000)))
    assert spectrum.argmax() == 440
    assert np.sqrt(np.mean(resampled[1000:-1000] ** 2)) == pytest.approx(np.sqrt(0.5), rel=1e-3)


def test_recordings_are_found_in_folders_and_by_patterns(wav: Path, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "B.WAV").write_bytes(wav.read_bytes())
    (tmp_path / "sub" / "notes.txt").write_text("no recording")
    named = [tmp_path / "sub" / "B.WAV", wav]
    assert list(expand([str(tmp_path)])) == named
    assert list(expand([str(tmp_path / "*.wav"), "missing.wav"])) == [wav, Path("missing.wav")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match="holds no recording"):
        list(expand([str(tmp_path / "empty")]))
    with pytest.raises(AudioError, match="no file matches"):
        list(expand([str(tmp_path / "*.none")]))


def test_channels_that_cancel_are_not_averaged_away() -> None:
    opposite = np.stack([voice(), -0.9 * voice()], axis=1)
    recording = encoded(opposite, format="WAV", subtype="FLOAT")
    signal, _, notices = load_audio(recording)
    np.testing.assert_allclose(signal, voice(), atol=1e-7)
    assert [notice.code for notice in notices] == [Code.CHANNELS_CANCEL]
    with pytest.warns(AudioWarning, match="channel 1 is used alone"):
        read_audio(recording)
    mix = Mixer([])
    blocks = [mix(opposite[at : at + 999]) for at in range(0, len(opposite), 999)]
    loud = np.abs(voice()) > 0.05  # once there is something to tell by
    np.testing.assert_allclose(np.concatenate(blocks)[loud], voice()[loud], atol=1e-7)


def in_mp4(*tracks: np.ndarray, start: float = 0.0) -> bytes:
    """Tracks at 24 kHz in one file, the first beginning late."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as output:
        made = [output.add_stream("aac", rate=RATE, layout="mono") for _ in tracks]
        for number, (track, signal) in enumerate(zip(made, tracks, strict=True)):
            frame = av.AudioFrame.from_ndarray(signal[None], format="fltp", layout="mono")
            frame.sample_rate = RATE
            frame.pts = round(start * RATE) if number == 0 else 0
            frame.time_base = Fraction(1, RATE)
            for packet in [*track.encode(frame), *track.encode(None)]:
                output.mux(packet)
    return stream.getvalue()


def test_a_silent_track_gives_way_to_one_that_is_not() -> None:
    recording = in_mp4(np.zeros_like(voice()), voice())
    signal, _, (notice,) = load_audio(recording)
    assert notice.code is Code.SEVERAL_TRACKS
    assert "track 2 is used, because track 1 is silent" in notice.message
    assert np.square(signal).sum() == pytest.approx(np.square(voice()).sum(), rel=0.1)
    assert not load_audio(recording, track=1)[0].any()
    with pytest.raises(AudioError, match="there is no track 3"):
        load_audio(recording, track=3)
    first, *_ = load_audio(in_mp4(0.5 * voice(), voice()))
    assert np.square(first).sum() == pytest.approx(0.25 * np.square(voice()).sum(), rel=0.1)


def test_a_track_that_starts_late_begins_with_silence() -> None:
    """Beside one that starts at once, as sound beside a picture."""
    late, *_ = load_audio(in_mp4(voice(), voice(), start=2.0), track=1)
    assert len(late) / RATE == pytest.approx(2 + len(voice()) / RATE, abs=0.1)
    assert not late[: 2 * RATE - 2000].any()


def test_what_is_not_finite_is_refused_after_mixing() -> None:
    signal = np.stack([voice(), voice()], axis=1)
    signal[100] = np.inf, -np.inf
    with pytest.raises(AudioError, match="NaN or infinite"):
        read_audio(encoded(signal, format="WAV", subtype="FLOAT"))


def test_headers_that_send_the_reader_nowhere_are_no_audio() -> None:
    class File(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            if offset:
                raise OSError(errno.EINVAL, "Invalid argument")  # as of a huge or negative offset
            return super().seek(offset, whence)

    with pytest.raises(AudioError, match="is not audio"):
        read_audio(File(in_mp4(voice())))


def test_times_that_jump_again_and_again_make_no_days_of_sound() -> None:
    clock = _Clock(5.0, RATE)
    assert clock.gap(5.01) == 0  # rounding
    assert clock.gap(7.0) == 2 * RATE
    assert clock.seconds == 2
    assert clock.gap(5.0 + 2000) == 0  # two recordings, joined
    assert clock.left_out == 1998
    clock.position += RATE
    gaps = [clock.gap(3000.0 + 500 * n) for n in range(100)]
    assert sum(gaps) <= MAX_GAPS_DUR * RATE
    assert clock.left_out > 40 * 500


def test_streams_that_begin_midway_do_not_end_the_recording() -> None:
    """PyAV raises an IndexError for each packet of a stream that the header did not announce."""
    parts: list[list[object]] = [[1, 2, IndexError], [IndexError], [3]]

    class Container:
        def demux(self, stream: object) -> Iterator[object]:
            for part in parts.pop(0):
                if part is IndexError:
                    raise IndexError
                yield part

    assert list(_packets(Container(), None)) == [1, 2, 3]


def test_a_rate_that_changes_midway_is_resampled_to_the_first() -> None:
    parts = [through_ffmpeg(resample(voice(), RATE, rate), "adts", "aac", rate)
             for rate in (22_050, 48_000)]  # fmt: skip
    signal, rate, _ = load_audio(b"".join(parts))
    assert rate == 22_050
    assert len(signal) / rate == pytest.approx(2 * len(voice()) / RATE, rel=0.05)


@pytest.mark.parametrize("kind", ["int16", "int32", "int64", "list"])
def test_integers_have_the_full_scale_that_holds_them(kind: str) -> None:
    whole = np.round(voice() * 32_767)
    values = whole.astype(int).tolist() if kind == "list" else whole.astype(kind)
    np.testing.assert_allclose(as_signal(values, RATE), voice(), atol=PCM16)
    if kind in {"int32", "int64"}:
        deep = np.round(voice() * (2**31 - 1)).astype(kind)
        np.testing.assert_allclose(as_signal(deep, RATE), voice(), atol=1e-6)


@pytest.mark.parametrize("scale", [32_767.0, 1e30, 1e200])
def test_floats_of_another_full_scale_are_scaled_down(scale: float) -> None:
    found = as_signal(voice().astype(np.float64) * scale, RATE)
    np.testing.assert_allclose(found, voice() / np.abs(voice()).max(), atol=1e-6)
    with pytest.raises(AudioError, match="whose full scale is 1"):
        as_signal(voice().astype(np.float64) * scale, RATE, whole=False)


def test_a_stray_sample_is_refused() -> None:
    signal = voice()
    signal[1000] = 1e20
    with pytest.raises(AudioError, match=r"a sample of 1e\+20 is out of all proportion"):
        as_signal(signal, RATE)
    with pytest.raises(AudioError, match="more than 32 bits"):
        as_signal([0, 1 << 40], RATE)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), True, "48000", 10, -1, None])
def test_rates_that_no_recording_has_are_refused(rate: object) -> None:
    with pytest.raises(AudioError, match="the sampling rate is"):
        as_signal(voice(), rate)  # type: ignore[arg-type]
    assert as_signal(voice(), 48_000.0).size == voice().size


def test_every_kind_of_source_gives_the_same(wav: Path) -> None:
    expected, _ = read_audio(wav)
    content = wav.read_bytes()
    read_end, write_end = os.pipe()
    threading.Thread(target=lambda: [os.write(write_end, content), os.close(write_end)]).start()
    half_way = io.BytesIO(content)
    half_way.seek(100)
    with os.fdopen(read_end, "rb") as pipe:
        for source in (bytearray(content), memoryview(content), half_way, pipe):
            np.testing.assert_array_equal(read_audio(source, max_dur=float("inf"))[0], expected)


LONG = np.concatenate([voice(seed=seed) for seed in range(4)])
SNDFILE = (
    *(("AIFF", "PCM_16"), ("W64", "PCM_16"), ("RF64", "PCM_16"), ("AU", "PCM_16")),
    *(("CAF", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")),
)
CUT = {
    **{f"{f} {s}": lambda f=f, s=s: encoded(LONG, format=f, subtype=s) for f, s in SNDFILE},
    "webm": lambda: through_ffmpeg(resample(LONG, RATE, 48_000), "webm", "libopus", 48_000),
    "matroska": lambda: through_ffmpeg(resample(LONG, RATE, 24_000), "matroska", "aac", 24_000),
}


@pytest.mark.parametrize("kind", CUT)
def test_what_is_cut_short_is_used_and_says_so(kind: str) -> None:
    content = CUT[kind]()
    whole, rate, notices = load_audio(content)
    assert not notices
    half, _, notices = load_audio(content[: len(content) * 6 // 10])
    assert [notice.code for notice in notices] == [Code.CUT_SHORT]
    assert 0.2 < len(half) / len(whole) < 0.8
    middle = slice(0, rate)  # s; what is there is right
    np.testing.assert_allclose(half[middle], whole[middle], atol=0.02)


@pytest.mark.parametrize(
    ("format_", "subtype"),
    [("OGG", "VORBIS"), ("OGG", "OPUS"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III")],
)
def test_recordings_written_one_after_another_are_all_read(format_: str, subtype: str) -> None:
    content = encoded(voice(), format=format_, subtype=subtype)
    alone, rate, _ = load_audio(content)
    both, both_rate, notices = load_audio(content + content)
    assert not notices
    assert len(both) / both_rate == pytest.approx(2 * len(alone) / rate, rel=0.05)


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    content = encoded(voice(), format="WAV", subtype="FLOAT")
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    signal, _ = read_audio(pipe)
    writer.join()
    np.testing.assert_array_equal(signal, voice())


def test_a_long_pipe_goes_to_a_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    monkeypatch.setattr("audio_emotion.audio.reading.IN_MEMORY", 1000)
    monkeypatch.setattr("audio_emotion.audio.reading.CHUNK", 999)
    content = encoded(voice(), format="WAV", subtype="FLOAT")
    file = buffered(Pipe(content))
    with file:
        for _ in range(2):
            np.testing.assert_array_equal(read_audio(file)[0], voice())
    monkeypatch.setattr("audio_emotion.audio.reading.MAX_BUFFERED", len(content) - 1)
    with pytest.raises(AudioError, match="holds more than 0 MiB"):
        buffered(Pipe(content))


def test_folders_hold_more_than_recordings(wav: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    kept = [folder / "deep" / "b.wav", folder / "a.wav"]
    for path in kept:
        path.write_bytes(wav.read_bytes())
    (folder / "._a.wav").write_bytes(b"resource fork")
    (folder / ".part").mkdir()
    (folder / ".part" / "d.wav").write_bytes(wav.read_bytes())
    (folder / "gone.wav").symlink_to("nowhere")
    (folder / "loop").symlink_to(folder)
    (folder / "again").symlink_to(folder / "deep")
    (folder / "c.wav").mkdir()
    os.mkfifo(folder / "pipe.wav")
    found = [path.resolve() for path in expand([str(folder)])]
    assert sorted(found) == sorted(kept)


def test_more_channels_than_planes_are_read_by_ffmpeg() -> None:
    """PyAV reads at most 8 planes, and crashes beyond."""
    nine = np.repeat(voice()[:, None], 9, 1)
    content = bytearray(encoded(nine, format="WAV", subtype="PCM_16"))
    at = content.index(b"data") + 4  # its size, never filled in
    content[at : at + 4] = b"\0\0\0\0"
    signal, _ = read_audio(bytes(content))
    np.testing.assert_allclose(signal, voice(), atol=PCM16)


def test_a_damaged_packet_does_not_end_the_recording() -> None:
    content = bytearray(through_ffmpeg(resample(LONG, RATE, 24_000), "matroska", "aac", 24_000))
    whole, rate, _ = load_audio(bytes(content))
    at = len(content) // 3
    content[at : at + 200] = b"\xff" * 200
    found, _, notices = load_audio(bytes(content))
    assert {notice.code for notice in notices} == {Code.DAMAGED}
    assert len(found) / rate == pytest.approx(len(whole) / rate, abs=0.2)


@pytest.mark.parametrize("source", [None, 5, "a\0b"])
def test_what_is_no_source_is_refused_in_words(source: object) -> None:
    with pytest.raises(AudioError, match="is no"):
        read_audio(source)  # type: ignore[arg-type]


def test_a_track_that_is_not_there_is_refused(wav: Path) -> None:
    with pytest.raises(AudioError, match="no track 5"):
        load_audio(wav, track=5)


def test_one_of_many_channels_does_not_cancel() -> None:
    notices: list[Notice] = []
    many = np.zeros((len(voice()), 16), np.float32)
    many[:, 2] = voice()
    np.testing.assert_allclose(Mixer(notices)(many), voice() / 16, atol=1e-6)
    assert not notices
