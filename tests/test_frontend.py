"""The front end against librosa and against physics."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.signal
import torch

from audio_emotion import resample
from audio_emotion.config import FrontendConfig, load_config
from audio_emotion.lab.frontend import (
    AT_ONCE,
    PITCHES,
    Frontend,
    dct_matrix,
    hann,
    lag_cosines,
    likeness,
)
from audio_emotion.lab.mel import hz_to_mel, mel_filters, mel_to_hz

CONFIG = FrontendConfig()
RATE = CONFIG.sampling_rate
MEL_TOLERANCE = 0.01  # dB, single precision after a logarithm
MFCC_TOLERANCE = 0.05  # a coefficient sums 128 of those


def test_window_is_scipys() -> None:
    """To the last bit, so that a training repeats itself in another process."""
    for n in (1024, 2048):
        expected = scipy.signal.get_window("hann", n).astype(np.float32)
        np.testing.assert_allclose(hann(n), expected, rtol=0, atol=1e-7)
        np.testing.assert_array_equal(
            Frontend(load_config("source", [f"frontend.n_fft={n}"]).frontend).window, hann(n)
        )


def tone(hertz: float, seconds: float = 3.5, amplitude: float = 0.5) -> torch.Tensor:
    time = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    return (amplitude * torch.sin(2 * torch.pi * hertz * time)).float()[None]


def placed(recording: tuple[np.ndarray, int]) -> tuple[Frontend, torch.Tensor]:
    frontend = Frontend(CONFIG)
    return frontend, place(frontend, torch.from_numpy(resample(*recording, RATE))[None])


def place(frontend: Frontend, waveform: torch.Tensor) -> torch.Tensor:
    return frontend.place(waveform, *frontend.extent(waveform))


def test_mel_agrees_with_librosa(recording: tuple[np.ndarray, int]) -> None:
    frontend, waveform = placed(recording)
    power = librosa.feature.melspectrogram(y=waveform[0].numpy(), sr=RATE)
    expected = librosa.power_to_db(power, ref=np.max)
    np.testing.assert_allclose(frontend.mel(waveform)[0], expected, atol=MEL_TOLERANCE)


def test_mfcc_agrees_with_librosa(recording: tuple[np.ndarray, int]) -> None:
    frontend, waveform = placed(recording)
    power = librosa.feature.melspectrogram(y=waveform[0].numpy(), sr=RATE)
    mel = librosa.power_to_db(power, ref=np.max)
    expected = librosa.feature.mfcc(S=mel, n_mfcc=128)
    mfcc = frontend.mfcc(frontend.mel(waveform))[0]
    np.testing.assert_allclose(mfcc, expected, atol=MFCC_TOLERANCE)


def test_a_large_batch_is_heard_clip_by_clip_as_the_spectrum_says() -> None:
    """A few clips at a time, whatever is left over, and squares added by the filters."""
    frontend = Frontend(CONFIG)
    clips = torch.randn(2 * AT_ONCE + 1, CONFIG.window, generator=torch.manual_seed(0))
    expected = torch.stack([frontend.power(clip[None])[0] @ frontend.filters.T for clip in clips])
    np.testing.assert_allclose(frontend.mel_power(clips), expected, rtol=1e-4, atol=1e-6)


def test_voiced_extent_agrees_with_librosa(recording: tuple[np.ndarray, int]) -> None:
    signal = resample(*recording, RATE)
    _, (start, end) = librosa.effects.trim(signal, top_db=CONFIG.trim_db)
    found, length = Frontend(CONFIG).extent(torch.from_numpy(signal)[None])
    assert (found.item(), found.item() + length.item()) == (start, end)


def test_filters_agree_with_librosa() -> None:
    expected = librosa.filters.mel(sr=RATE, n_fft=2048, n_mels=128)
    np.testing.assert_allclose(mel_filters(RATE, 2048, 128), expected, atol=1e-7)


def test_mel_scale_inverts() -> None:
    hertz = np.linspace(0, 11_025, 1000)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hertz)), hertz, atol=1e-8)


def test_dct_is_orthonormal() -> None:
    matrix = dct_matrix(128)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(128), atol=1e-5)


@pytest.mark.parametrize("hertz", [200.0, 440.0, 1000.0, 3000.0, 8000.0])
def test_a_tone_is_loudest_in_the_band_around_it(hertz: float) -> None:
    edges = mel_to_hz(np.linspace(0, hz_to_mel(np.array(RATE / 2)), 130))
    band = Frontend(CONFIG).mel(tone(hertz))[0, :, 75].argmax().item()
    assert edges[band] <= hertz <= edges[band + 2]


def test_gain_changes_nothing() -> None:
    frontend = Frontend(CONFIG)
    signal = tone(440) + 0.1 * torch.randn(1, CONFIG.window, generator=torch.manual_seed(0))
    torch.testing.assert_close(frontend(signal)[0], frontend(signal / 100)[0], atol=0.01, rtol=0)


def test_ten_times_weaker_tone_is_twenty_decibels_lower() -> None:
    signal = torch.cat([tone(1000, 1.75), tone(1000, 1.75, amplitude=0.05)], 1)
    mel = Frontend(CONFIG).mel(signal)[0].amax(0)
    assert (mel[30] - mel[120]).item() == pytest.approx(20, abs=0.05)


def test_nothing_lies_below_top_db() -> None:
    assert Frontend(CONFIG).mel(tone(440)).min() == -CONFIG.top_db


def test_a_shift_by_one_hop_shifts_the_frames_by_one() -> None:
    frontend = Frontend(CONFIG)
    noise = torch.randn(1, CONFIG.window + CONFIG.hop_length, generator=torch.manual_seed(0))
    first = frontend.mel(noise[:, : -CONFIG.hop_length])[..., 3:-3]
    second = frontend.mel(noise[:, CONFIG.hop_length :])[..., 3:-3]
    difference = first[..., 1:] - second[..., :-1]
    assert difference.std() < 1e-3  # the loudest cell may differ, so compare up to a constant


def test_placement_puts_the_voice_where_it_should() -> None:
    voiced = torch.ones(1, 10 * 2048)
    quiet = torch.zeros(1, 30 * 2048)
    clip = torch.cat([quiet, voiced, quiet], 1)
    for placement, expected in [("center", CONFIG.window / 2), ("start", 0)]:
        window = place(Frontend(CONFIG.model_copy(update={"placement": placement})), clip)
        assert window.shape == (1, CONFIG.window)
        where = window[0].nonzero()[:, 0].float()
        found = where.mean() if placement == "center" else where.min()
        assert found.item() == pytest.approx(expected, abs=2048)
    repeated = place(Frontend(CONFIG.model_copy(update={"placement": "repeat"})), clip)
    assert repeated.mean() > 0.7


def test_a_long_clip_loses_both_ends_alike() -> None:
    clip = torch.linspace(0.5, 1, 2 * CONFIG.window)[None]
    window = place(Frontend(CONFIG), clip)[0]
    quarter = CONFIG.window // 2
    torch.testing.assert_close(
        window, clip[0, quarter : quarter + CONFIG.window], atol=1e-2, rtol=0
    )


def test_silence_and_a_single_sample_give_finite_pictures() -> None:
    frontend = Frontend(CONFIG)
    for samples in (1, 100, CONFIG.window):
        pictures, counted = frontend(torch.zeros(1, samples))
        assert counted.all()
        assert pictures.shape == (1, 2, 128, 151)
        assert pictures.isfinite().all()


@pytest.mark.parametrize(
    ("features", "channels"), [("mel", 1), ("mfcc", 1), ("both", 2), ("contrast", 2), ("pitch", 3)]
)
def test_features_choose_the_channels(features: str, channels: int) -> None:
    config = CONFIG.model_copy(update={"features": features})
    assert Frontend(config)(tone(440))[0].shape[1] == config.channels == channels


def test_fitted_rows_have_zero_mean_and_unit_deviation() -> None:
    generator = torch.manual_seed(0)
    clips = [torch.randn(RATE, generator=generator) * torch.rand(1) for _ in range(4)]
    frontend = Frontend(CONFIG)
    frontend.fit(clips)
    rows = torch.cat([frontend(clip[None])[0][0] for clip in clips], 2)
    torch.testing.assert_close(rows.mean(2), torch.zeros(2, 128), atol=1e-3, rtol=0)
    torch.testing.assert_close(rows.std(2, correction=0), torch.ones(2, 128), atol=1e-2, rtol=0)


def test_per_clip_normalisation_is_of_each_channel() -> None:
    pictures, _ = Frontend(CONFIG.model_copy(update={"normalization": "clip"}))(tone(440))
    torch.testing.assert_close(pictures.mean((2, 3)), torch.zeros(1, 2), atol=1e-4, rtol=0)
    torch.testing.assert_close(pictures.std((2, 3)), torch.ones(1, 2), atol=1e-2, rtol=0)


VOICE = load_config("voice").frontend


def voiced(seconds: float, quiet: float) -> torch.Tensor:
    """Noise of some seconds between zeros, at the rate of `VOICE`."""
    noise = torch.randn(round(seconds * VOICE.sampling_rate), generator=torch.manual_seed(0))
    zeros = torch.zeros(round(quiet * VOICE.sampling_rate))
    return torch.cat([zeros, noise, zeros])[None]


def test_masked_frames_are_zero_and_the_others_those_of_the_voice() -> None:
    frontend = Frontend(VOICE)
    pictures, counted = frontend(voiced(1.0, 0.5))
    hop_dur = VOICE.hop_length / VOICE.sampling_rate
    assert counted.sum().item() * hop_dur == pytest.approx(1.0, abs=0.2)  # trimmed by frames
    assert not pictures[..., ~counted[0]].any()
    assert pictures[..., counted[0]].abs().mean() > 1


def test_contrast_has_no_mean_over_the_voice_so_an_equaliser_changes_nothing() -> None:
    frontend = Frontend(VOICE.model_copy(update={"features": "contrast"}))
    bands = torch.rand(1, 50, VOICE.n_mels, generator=torch.manual_seed(0)) + 0.1
    length = torch.tensor([[49 * VOICE.hop_length]])
    gain = torch.linspace(0.5, 2, VOICE.n_mels)
    plain, equalised = (frontend.channels(b, length)[0][:, 1] for b in (bands, bands * gain))
    torch.testing.assert_close(plain, equalised, atol=1e-4, rtol=0)
    torch.testing.assert_close(plain.mean(2), torch.zeros(1, VOICE.n_mels), atol=1e-4, rtol=0)


@pytest.mark.parametrize("semitones", [-3, 2])
def test_a_warped_bank_hears_another_pitch(semitones: float) -> None:
    factor = 2 ** (semitones / 12)
    edges = mel_to_hz(np.linspace(0, hz_to_mel(np.array(8000)), 66))
    power = torch.zeros(513)
    power[64] = 1  # 1000 Hz
    band = (torch.from_numpy(mel_filters(16_000, 1024, 64, factor)) @ power).argmax().item()
    assert edges[band] <= 1000 * factor <= edges[band + 2]


def harmonics(hertz: float, above: float = 0) -> torch.Tensor:
    """A second of all harmonics below 4 kHz that lie above some frequency."""
    time = torch.arange(VOICE.sampling_rate, dtype=torch.float64) / VOICE.sampling_rate
    orders = [n for n in range(1, int(4000 // hertz)) if n * hertz > above]
    return sum(torch.sin(2 * torch.pi * n * hertz * time + n * n) / n for n in orders).float()[None]


def lags(waveform: torch.Tensor) -> torch.Tensor:
    """Likeness of the frame in the middle at each lag."""
    frontend = Frontend(VOICE)
    return frontend.lags(frontend.mel_power(waveform))[0, :, 30]


@pytest.mark.parametrize(
    ("hertz", "above"),
    [(100, 0), (125, 0), (210, 0), (440, 0), (650, 0), (125, 300), (210, 300)],
)  # without what lies under 300 Hz: as a telephone carries it
def test_a_voice_is_most_like_itself_a_period_later(hertz: float, above: float) -> None:
    found = lags(harmonics(hertz, above)).argmax().item()
    octaves = np.log2(np.geomspace(*PITCHES, VOICE.n_mels)[found] / hertz)
    assert abs(octaves) < 0.05  # one lag, 0.054 octaves from the next


def test_noise_is_like_itself_at_no_lag() -> None:
    noise = torch.randn(1, VOICE.sampling_rate, generator=torch.manual_seed(0))
    assert lags(noise).abs().max() < 0.15
    assert lags(harmonics(125)).max() > 0.4


def test_lags_do_not_depend_on_level() -> None:
    voice = harmonics(125)
    torch.testing.assert_close(lags(voice), lags(voice / 100), atol=1e-4, rtol=0)
    assert lags(torch.zeros(1, VOICE.sampling_rate)).abs().max() == 0


def test_a_warp_moves_the_pitch_along_the_lags() -> None:
    power = Frontend(VOICE).power(harmonics(125))
    octave = np.log2(PITCHES[1] / PITCHES[0]) / (VOICE.n_mels - 1)  # from one lag to the next
    banks = [lag_cosines(16_000, 1024, VOICE.n_mels, 2 ** (warp * octave)) for warp in (0, 3)]
    plain, warped = (likeness(power, torch.from_numpy(bank))[0, 30].argmax() for bank in banks)
    assert warped - plain == 3


def pink(seconds: float, seed: int = 0) -> torch.Tensor:
    """Noise whose power falls as one over the frequency, of unit power."""
    size = round(seconds * VOICE.sampling_rate)
    noise = torch.randn(size, generator=torch.manual_seed(seed), dtype=torch.float64)
    hertz = torch.fft.rfftfreq(size, 1 / VOICE.sampling_rate)
    shaped = torch.fft.irfft(torch.fft.rfft(noise) / torch.clamp(hertz, min=40).sqrt(), size)
    return (shaped / shaped.square().mean().sqrt()).float()[None]


def floored(floor_db: float) -> Frontend:
    return Frontend(VOICE.model_copy(update={"features": "contrast", "floor_db": floor_db}))


def test_the_floor_is_that_of_pink_noise() -> None:
    """Laid under pink noise, it is as far below it in every band."""
    frontend = floored(15)
    bands = frontend.mel_power(pink(3.5)).transpose(1, 2)
    counted = torch.ones(1, bands.shape[2], dtype=torch.bool)
    below = 10 * torch.log10(frontend.floor(bands, counted)[0, :, 0] / bands[0].mean(1))
    np.testing.assert_allclose(below, -15, atol=1)


def test_noise_below_the_floor_is_hardly_seen_and_level_not_at_all() -> None:
    """So a studio and a room look alike."""
    clean = torch.cat([harmonics(125), torch.zeros(1, 8000), harmonics(160)], 1) / 3
    noise = pink(clean.shape[1] / VOICE.sampling_rate) * clean.square().mean().sqrt()

    def apart(frontend: Frontend, snr: float) -> float:
        noisy = clean + 10 ** (-snr / 20) * noise
        length = torch.tensor([[clean.shape[1]]])
        one, other = (frontend.channels(frontend.mel_power(w), length)[0] for w in (clean, noisy))
        return (one[:, 0] - other[:, 0]).abs().mean().item()

    assert apart(floored(15), 30) < 0.3  # dB
    assert apart(floored(120), 30) > 5
    plain, loud = (floored(15)(w)[0] for w in (clean, 30 * clean))
    torch.testing.assert_close(plain, loud, atol=1e-3, rtol=1e-3)


def test_a_rooms_noise_moves_neither_end_of_the_voice() -> None:
    config = VOICE.model_copy(update={"trim_db": 20})
    quiet = torch.zeros(1, VOICE.sampling_rate)
    clean = torch.cat([quiet, harmonics(125), quiet], 1)
    noise = pink(3) * harmonics(125).square().mean().sqrt() * 10 ** (-23 / 20)
    for frontend, moves in [(Frontend(config), False), (Frontend(VOICE), True)]:
        plain, noisy = (torch.cat(frontend.extent(w), 1) for w in (clean, clean + noise))
        assert (plain != noisy).any() == moves
    start, end = torch.cat(Frontend(config).extent(clean), 1)[0].cumsum(0).tolist()
    np.testing.assert_allclose([start, end], [16_000, 32_000], atol=1500)  # less than a frame
