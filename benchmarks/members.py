"""What each kind of member brings to a cross-validated committee.

    python benchmarks/members.py runs/committee RAVDESS CREMA-D
    python benchmarks/members.py runs/committee RAVDESS --condition pink-noise-20dB

The first window of voice in the test clips of every fold that has ended, answered by each member
alone, by those that hear a floor of noise, by those that do not, and by all; UAR in percent and log
loss, folds pooled, as a Markdown table.  Of a member alone the mean over such members.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from audio_emotion.audio import resample
from audio_emotion.corpora import load_corpora
from audio_emotion.corpora.corpus import heard, shorten
from audio_emotion.evaluation.conditions import condition, generator
from audio_emotion.evaluation.metrics import confusion_matrix, unweighted_average_recall
from audio_emotion.lab.export import load_model
from audio_emotion.lab.networks import members
from audio_emotion.lab.run import stored_config, stored_data


@torch.inference_mode()
def logits_of(
    run: Path, corpora: list[Path], under: str | None
) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Of a fold's test clips `(members, clips, labels)`, and each clip's corpus and label."""
    config, model = stored_config(run), load_model(run)
    corpus = load_corpora(corpora, config.labels)
    tested = heard(stored_data(run)["digests"]["test"])
    rate, found, truths = config.frontend.sampling_rate, [], []
    for clip, digest in zip(corpus.clips, corpus.digests(), strict=True):
        if shorten(digest or "") not in tested:
            continue
        signal, own = clip.read()
        if under:
            signal, own = condition(under)(signal, own, generator(clip.name))
        pictures = model.frontend(torch.from_numpy(resample(signal, own, rate))[None])
        answers = [member(*pictures)[0] / model.temperature for member in members(model.network)]
        found.append(torch.stack(answers).numpy())
        truths.append((clip.corpus, clip.label.label))
    return np.stack(found, 1), truths


def figures(logits: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """UAR in percent and log loss of `(clips, labels)`."""
    matrix = confusion_matrix(truth, logits.argmax(1), logits.shape[1])
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(truth))
    return 100 * unweighted_average_recall(matrix), loss.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the cross-validation")
    parser.add_argument("corpora", type=Path, nargs="+")
    parser.add_argument("--condition", help="the clips changed, as evaluate does")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runs = [path.parent for path in sorted(arguments.folder.glob("fold-*/answers.json"))]
    parts = [logits_of(run, arguments.corpora, arguments.condition) for run in runs]
    logits = np.concatenate([part for part, _ in parts], 1)
    truths = [truth for _, those in parts for truth in those]
    config = stored_config(runs[0])
    labels, network = config.labels, config.network
    floored = np.array([network.of_member(n).floored > 0 for n in range(network.members)])
    kinds = {"plain": ~floored, "with floor": floored, "all": floored | True}
    kinds = {name: chosen for name, chosen in kinds.items() if chosen.any()}
    heads = [f"{how} {name}" for name in kinds for how in ("one,", "together,")]
    print(f"| corpus | clips | {' | '.join(heads)} |")
    print("|---|--:|" + "--:|" * len(heads))
    for name in sorted({corpus for corpus, _ in truths}):
        of_it = [n for n, (corpus, _) in enumerate(truths) if corpus == name]
        known = sorted({labels.index(truths[n][1]) for n in of_it})
        truth = np.array([known.index(labels.index(truths[n][1])) for n in of_it])
        answered = logits[:, of_it][:, :, known]
        cells = []
        for chosen in kinds.values():
            alone = np.mean([figures(one, truth) for one in answered[chosen]], 0)
            for uar, loss in (alone, figures(answered[chosen].mean(0), truth)):
                cells.append(f"{uar:.1f}, {loss:.3f}")
        print(f"| {name} | {len(of_it)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
