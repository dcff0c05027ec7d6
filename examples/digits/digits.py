"""Recognise handwritten digits: split, train, evaluate, and accept the model only if it is good enough.

The data are scikit-learn's 1,797 real scans of digits, 8 by 8 pixels each. Libraries are imported inside the
steps, so that the workflow can be checked and released where they are not installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import foldline as fl

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from sklearn.pipeline import Pipeline


class Split(NamedTuple):
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


class Card(NamedTuple):
    summary: dict
    confusion: Image.Image


@fl.step(title="Split the data")
def split(test_share: float, seed: int) -> Split:
    """Load the scans and keep a share of them, balanced over the digits, for the evaluation."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=test_share, random_state=seed, stratify=labels
    )
    print(f"{len(train_labels)} scans to train on, {len(test_labels)} to evaluate with")
    return Split(train_images, train_labels, test_images, test_labels)


@fl.step(title="Train", retry=fl.Retry(max_attempts=2))
def train(images: np.ndarray, labels: np.ndarray, kernel: str, strength: float) -> Pipeline:
    """Fit a support vector machine on scaled pixels."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler
    from sklearn.svm import SVC

    model = make_pipeline(MinMaxScaler(), SVC(kernel=kernel, C=strength))
    model.fit(images, labels)
    print(f"fitted {kernel} with C={strength:g}: {model[-1].support_vectors_.shape[0]} support vectors")
    return model


@fl.step(title="Evaluate")
def evaluate(model: Pipeline, images: np.ndarray, labels: np.ndarray) -> dict:
    """Accuracy over all and per digit, and the confusion matrix."""
    from sklearn.metrics import accuracy_score, confusion_matrix

    found = model.predict(images)
    accuracy = float(accuracy_score(labels, found))
    confusion = confusion_matrix(labels, found)
    recall = {str(digit): float(row[digit] / row.sum()) for digit, row in enumerate(confusion)}
    print(f"accuracy {accuracy:.4f} on {len(labels)} scans")
    fl.log_metric("accuracy", accuracy)
    return {"accuracy": accuracy, "recall": recall, "confusion": confusion.tolist()}


@fl.step(title="Write the model card")
def model_card(metrics: dict, accept_at: float, kernel: str, strength: float) -> Card:
    """What a user of the model must know, and a picture of what it mixes up."""
    worst = min(metrics["recall"], key=metrics["recall"].get)
    summary = {
        "model": f"support vector machine, {kernel} kernel, C={strength:g}",
        "data": "scikit-learn digits, 1,797 scans of 8 by 8 pixels",
        "accuracy": metrics["accuracy"],
        "accepted_at": accept_at,
        "weakest_digit": {"digit": int(worst), "recall": metrics["recall"][worst]},
    }
    return Card(summary, draw(metrics["confusion"]))


@fl.step(title="Reject the model")
def reject(accuracy: float, accept_at: float) -> str:
    """Say why the model is not accepted."""
    reason = f"accuracy {accuracy:.4f} is below {accept_at:.4f}"
    print(f"rejected: {reason}")
    return reason


def draw(confusion: list[list[int]]) -> Image.Image:
    """The confusion matrix as a picture: a row per true digit, a column per answer."""
    from PIL import Image, ImageDraw

    cell, margin = 40, 44
    side = margin + cell * len(confusion) + 8
    picture = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(picture)
    pen.text((margin, 4), "answer of the model", fill="black")
    pen.text((4, 24), "true", fill="black")
    most = max(max(row) for row in confusion)
    for row, counts in enumerate(confusion):
        top = margin + row * cell
        pen.text((24, top + 13), str(row), fill="black")
        pen.text((margin + row * cell + 15, 24), str(row), fill="black")
        for column, count in enumerate(counts):
            left = margin + column * cell
            shade = int(255 * (1 - count / most)) if row == column else 255 - min(255, 60 * count)
            colour = (shade, shade, 255) if row == column else (255, shade, shade)
            pen.rectangle((left, top, left + cell - 2, top + cell - 2), fill=colour, outline="lightgrey")
            if count:
                ink = "white" if row == column and count > most / 2 else "black"
                pen.text((left + cell / 2 - 1, top + cell / 2 - 1), str(count), fill=ink, anchor="mm")
    return picture


@fl.workflow(
    title="Handwritten digits",
    requirements=["numpy>=2", "pillow>=11", "scikit-learn>=1.6", "skops>=0.11"],
)
def digits(
    accept_at: float = fl.param(0.95, ge=0, le=1, title="Accept at", help="Least accuracy of a good model"),
    kernel: Literal["rbf", "poly", "linear"] = "rbf",
    strength: float = fl.param(
        5.0, ge=0.001, le=1000, title="Strength", help="How hard the model is fitted to the data"
    ),
    test_share: float = fl.param(0.25, ge=0.05, le=0.5, title="Share of scans kept for the evaluation"),
    seed: int = fl.param(7, ge=0, title="Seed of the split"),
):
    """Train a model that reads handwritten digits and accept it if it is good enough."""
    data = split(test_share, seed)
    model = train(data.train_images, data.train_labels, kernel, strength)
    metrics = evaluate(model, data.test_images, data.test_labels)
    with fl.when(metrics["accuracy"] >= accept_at, name="accept"):
        card = model_card(metrics, accept_at, kernel, strength)
    with fl.otherwise():
        rejected = reject(metrics["accuracy"], accept_at)
    return {
        "model": model,
        "metrics": metrics,
        "card": card.summary,
        "confusion": card.confusion,
        "rejected": rejected,
    }
