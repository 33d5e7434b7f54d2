"""The front end against librosa and against physics."""

import librosa
import numpy as np
import pytest
import scipy.signal
import torch

from audio_emotion import resample
from audio_emotion.config import FEATURES, FrontendConfig, load_config
from audio_emotion.training.features.frontend import (
    AT_ONCE,
    LEVEL_FRAME,
    LEVEL_HOP,
    LEVEL_LEAD,
    MARGIN,
    TOP_DB,
    Frontend,
    dct_matrix,
    hann,
)
from audio_emotion.training.features.mel import hz_to_mel, mel_filters, mel_to_hz
from audio_emotion.training.features.voicing import Voicing

CONFIG = load_config("reference").frontend
DEFAULT = load_config("default").frontend
RATE = CONFIG.sampling_rate
MEL_TOLERANCE = 0.01  # dB, single precision after a logarithm
MFCC_TOLERANCE = 0.05  # a coefficient sums 128 of those


def test_window_is_scipys() -> None:
    """To the last bit, so that a training repeats itself in another process."""
    for n in (1024, 2048):
        expected = scipy.signal.get_window("hann", n).astype(np.float32)
        np.testing.assert_allclose(hann(n), expected, rtol=0, atol=1e-7)
        np.testing.assert_array_equal(
            Frontend(load_config("reference", [f"frontend.n_fft={n}"]).frontend).window, hann(n)
        )


def tone(hertz: float, seconds: float = 3.5, amplitude: float = 0.5) -> torch.Tensor:
    time = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    return (amplitude * torch.sin(2 * torch.pi * hertz * time)).float()[None]


def mel(frontend: Frontend, waveform: torch.Tensor) -> torch.Tensor:
    """Return mel dB of clips that fill their window."""
    power = frontend.mel_power(waveform)
    length = power.new_tensor([[waveform.shape[1]]])
    return frontend.decibel(power, frontend.frame_mask(power, length))


def placed(recording: tuple[np.ndarray, int]) -> tuple[Frontend, torch.Tensor]:
    frontend = Frontend(CONFIG)
    return frontend, place(frontend, torch.from_numpy(resample(*recording, RATE))[None])


def place(frontend: Frontend, waveform: torch.Tensor) -> torch.Tensor:
    return frontend.place(waveform, *frontend.extent(waveform))


def test_mel_agrees_with_librosa(recording: tuple[np.ndarray, int]) -> None:
    frontend, waveform = placed(recording)
    power = librosa.feature.melspectrogram(y=waveform[0].numpy(), sr=RATE)
    expected = librosa.power_to_db(power, ref=np.max)
    np.testing.assert_allclose(mel(frontend, waveform)[0], expected, atol=MEL_TOLERANCE)


def test_mfcc_agrees_with_librosa(recording: tuple[np.ndarray, int]) -> None:
    frontend, waveform = placed(recording)
    power = librosa.feature.melspectrogram(y=waveform[0].numpy(), sr=RATE)
    found = librosa.power_to_db(power, ref=np.max)
    expected = librosa.feature.mfcc(S=found, n_mfcc=128)
    mfcc = frontend.mfcc(mel(frontend, waveform))[0]
    np.testing.assert_allclose(mfcc, expected, atol=MFCC_TOLERANCE)


def test_a_large_batch_is_transformed_clip_by_clip() -> None:
    """A few clips at a time, whatever is left over, and squares added by the filters."""
    frontend = Frontend(CONFIG)
    clips = torch.randn(2 * AT_ONCE + 1, CONFIG.window, generator=torch.manual_seed(0))
    expected = torch.stack([frontend.power(clip[None])[0] @ frontend.filters.T for clip in clips])
    np.testing.assert_allclose(frontend.mel_power(clips), expected, rtol=1e-4, atol=1e-6)


def burst(before: int, after: int, gain: float = 1.0) -> torch.Tensor:
    sound = torch.randn(1, 20_000, generator=torch.manual_seed(0)) * gain
    return torch.nn.functional.pad(sound, (before, after))


@pytest.mark.parametrize("config", [CONFIG, DEFAULT], ids=["reference", "default"])
def test_the_extent_is_the_loud_part_with_its_margin(config: FrontendConfig) -> None:
    """A frame that holds some sound is part of it; the hops begin at the centre of its energy."""
    start, length = Frontend(config).extent(burst(30_000, 40_000))
    first, last = start.item() + MARGIN, start.item() + length.item() - MARGIN
    assert 30_000 - LEVEL_FRAME <= first <= 30_000 + config.hop_length
    assert 50_000 <= last <= 50_000 + LEVEL_FRAME


@pytest.mark.parametrize("before", [0, 1, 100, 1280, 99_999])
def test_features_do_not_depend_on_silence_around_a_clip(before: int) -> None:
    frontend = Frontend(DEFAULT)
    expected, mask = frontend(burst(64_000, 64_000))
    found, found_mask = frontend(burst(before, 50_000, gain=1e-3))
    torch.testing.assert_close(found_mask, mask)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_the_level_is_the_running_median_of_frames() -> None:
    signal = torch.randn(1, 12_345, generator=torch.manual_seed(0))
    padded = np.pad(signal[0].numpy(), (4 * LEVEL_FRAME, 8 * LEVEL_FRAME)) ** 2
    frames, phase = 1 + (signal.shape[1] + 2 * LEVEL_LEAD) // LEVEL_HOP, 77
    first = 4 * LEVEL_FRAME - LEVEL_FRAME // 2 + phase - LEVEL_LEAD  # of frame 0
    expected = [
        np.median([
            padded[first + n * LEVEL_HOP + m * LEVEL_FRAME :][:LEVEL_FRAME].mean()
            for m in range(-2, 3)
        ])
        for n in range(frames)
    ]  # fmt: skip
    blocks = torch.nn.functional.pad(signal, (0, LEVEL_HOP - 12_345 % LEVEL_HOP))
    blocks = blocks.reshape(1, -1, LEVEL_HOP).square()
    found = Frontend(DEFAULT).level(blocks, torch.tensor([[phase]]))
    np.testing.assert_allclose(found[0], expected, rtol=1e-4)


def test_a_click_hardly_changes_an_extent() -> None:
    """The frames may lie another way, but the loud part stays."""
    clicked = burst(40_000, 40_000)
    clicked[0, 500:520] = 100
    clicked[0, -700:-680] = -100
    for found, expected in zip(
        Frontend(DEFAULT).extent(clicked), Frontend(DEFAULT).extent(burst(40_000, 40_000)),
        strict=True,
    ):  # fmt: skip
        assert abs(found.item() - expected.item()) <= DEFAULT.hop_length


def test_voicing_tells_harmonics_from_noise() -> None:
    frontend, time = Frontend(DEFAULT), torch.arange(DEFAULT.window) / DEFAULT.sampling_rate
    voicing = Voicing(DEFAULT, np.arange(DEFAULT.n_fft // 2 + 1))
    for hertz in (110, 200, 440):
        tone = sum(torch.sin(2 * np.pi * n * hertz * time + n * n) / n for n in range(1, 17))
        assert voicing(frontend.power(tone[None])).item() > 0.6
    noise = torch.randn(8, DEFAULT.window, generator=torch.manual_seed(0))
    assert voicing(frontend.power(noise)).max().item() < 0.2
    assert voicing(frontend.power(torch.zeros(1, DEFAULT.window))).item() < 0


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
    band = mel(Frontend(CONFIG), tone(hertz))[0, :, 75].argmax().item()
    assert edges[band] <= hertz <= edges[band + 2]


def test_gain_changes_nothing() -> None:
    frontend = Frontend(CONFIG)
    signal = tone(440) + 0.1 * torch.randn(1, CONFIG.window, generator=torch.manual_seed(0))
    torch.testing.assert_close(frontend(signal)[0], frontend(signal / 100)[0], atol=0.01, rtol=0)


def test_ten_times_weaker_tone_is_twenty_decibels_lower() -> None:
    signal = torch.cat([tone(1000, 1.75), tone(1000, 1.75, amplitude=0.05)], 1)
    found = mel(Frontend(CONFIG), signal)[0].amax(0)
    assert (found[30] - found[120]).item() == pytest.approx(20, abs=0.05)


def test_nothing_lies_below_top_db() -> None:
    assert mel(Frontend(CONFIG), tone(440)).min() == -TOP_DB


def test_a_shift_by_one_hop_shifts_the_frames_by_one() -> None:
    frontend = Frontend(CONFIG)
    noise = torch.randn(1, CONFIG.window + CONFIG.hop_length, generator=torch.manual_seed(0))
    first = mel(frontend, noise[:, : -CONFIG.hop_length])[..., 3:-3]
    second = mel(frontend, noise[:, CONFIG.hop_length :])[..., 3:-3]
    difference = first[..., 1:] - second[..., :-1]
    assert difference.std() < 1e-3  # the loudest cell may differ, so compare up to a constant


def test_placement_puts_a_clip_where_it_should() -> None:
    loud, quiet = torch.ones(1, 10 * 2048), torch.zeros(1, 30 * 2048)
    clip = torch.cat([quiet, loud, quiet], 1)
    for placement, expected in [("center", CONFIG.window / 2), ("start", 0)]:
        window = place(Frontend(CONFIG.model_copy(update={"placement": placement})), clip)
        assert window.shape == (1, CONFIG.window)
        where = window[0].nonzero()[:, 0].float()
        found = where.mean() if placement == "center" else where.min()
        assert found.item() == pytest.approx(expected, abs=2048)


def test_a_long_clip_loses_both_ends_alike() -> None:
    clip = torch.linspace(0.5, 1, 2 * CONFIG.window)[None]
    window = place(Frontend(CONFIG), clip)[0]
    quarter = CONFIG.window // 2
    torch.testing.assert_close(
        window, clip[0, quarter : quarter + CONFIG.window], atol=1e-2, rtol=0
    )


def test_silence_and_a_single_sample_give_finite_features() -> None:
    frontend = Frontend(CONFIG)
    for samples in (1, 100, CONFIG.window):
        features, mask = frontend(torch.zeros(1, samples))
        assert mask.all()
        assert features.shape == (1, 2, 128, 151)
        assert features.isfinite().all()


@pytest.mark.parametrize("features", FEATURES)
def test_features_choose_the_channels(features: str) -> None:
    config = CONFIG.model_copy(update={"features": features})
    assert Frontend(config)(tone(440))[0].shape[1] == len(FEATURES[features])


def test_fitted_rows_have_zero_mean_and_unit_deviation() -> None:
    generator = torch.manual_seed(0)
    clips = [torch.randn(RATE, generator=generator) * torch.rand(1) for _ in range(4)]
    frontend = Frontend(CONFIG)
    frontend.fit(clips)
    rows = torch.cat([frontend(clip[None])[0][0] for clip in clips], 2)
    torch.testing.assert_close(rows.mean(2), torch.zeros(2, 128), atol=1e-3, rtol=0)
    torch.testing.assert_close(rows.std(2, correction=0), torch.ones(2, 128), atol=1e-2, rtol=0)


def test_frames_outside_the_mask_are_zero_and_the_others_those_of_the_clip() -> None:
    noise = torch.randn(DEFAULT.sampling_rate, generator=torch.manual_seed(0))
    quiet = torch.zeros(DEFAULT.sampling_rate // 2)
    features, mask = Frontend(DEFAULT)(torch.cat([quiet, noise, quiet])[None])
    hop_dur = DEFAULT.hop_length / DEFAULT.sampling_rate
    assert mask.sum().item() * hop_dur == pytest.approx(1.0, abs=0.2)  # trimmed by frames
    assert not features[..., ~mask[0]].any()
    assert features[..., mask[0]].abs().mean() > 1


def test_an_equaliser_does_not_change_mean_normalised_mel() -> None:
    frontend = Frontend(DEFAULT)
    power = torch.rand(1, 50, DEFAULT.n_mels, generator=torch.manual_seed(0)) + 0.1
    mask = torch.ones(1, 50, dtype=torch.bool)
    gain = torch.linspace(0.5, 2, DEFAULT.n_mels)
    plain, equalised = (
        frontend.stack(frontend.decibel(p, mask), mask)[:, 1] for p in (power, power * gain)
    )
    torch.testing.assert_close(plain, equalised, atol=1e-4, rtol=0)
    torch.testing.assert_close(plain.mean(2), torch.zeros(1, DEFAULT.n_mels), atol=1e-4, rtol=0)


@pytest.mark.parametrize("semitones", [-3, 2])
def test_a_warped_filter_bank_responds_to_another_pitch(semitones: float) -> None:
    factor = 2 ** (semitones / 12)
    edges = mel_to_hz(np.linspace(0, hz_to_mel(np.array(8000)), 66))
    power = torch.zeros(513)
    power[64] = 1  # 1000 Hz
    band = (torch.from_numpy(mel_filters(16_000, 1024, 64, factor)) @ power).argmax().item()
    assert edges[band] <= 1000 * factor <= edges[band + 2]
