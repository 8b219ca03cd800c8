"""The plot of feature importances beside a model: FreqAI's file name and look, a page of its own without a script."""

from __future__ import annotations

import logging
import re
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from daemon.learning.models.port import Explains

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from daemon.learning.head import Head
    from daemon.learning.job import TrainingJob

log = logging.getLogger(__name__)

PAGE = ".html"
"""Suffix of the plots; no part of a model is named so."""
_ROW, _BAR, _TEXT, _TOP = 18, 240, 420, 24  # pixels

_STYLE = (
    "body{font:13px system-ui,sans-serif;margin:24px;color:#222;background:#fff}"
    "figure{display:inline-block;margin:0 24px 0 0;vertical-align:top}"
    "rect{fill:#636efa}text{font:12px system-ui,sans-serif;fill:#222}.n{fill:#777}"
)


def importance_pages(job: TrainingJob, heads: Sequence[Head], names: Sequence[str]) -> dict[str, bytes]:
    """One page per target, by file name, as ``plot_feature_importances`` asks; none where it does not.

    Args:
        job: the training.
        heads: its fitted models.
        names: what the columns are called that they were fitted on.
    """
    count, pages = job.plot_feature_importances, {}
    for head in heads if count else ():
        if not isinstance(head.model, Explains):
            fields = {"pair": job.pair, "model": job.model, "why": "its library's importances are not kept"}
            log.info("no_importances", extra={"fields": fields})
            continue
        title = f"Best and worst features by importance {job.pair}, target {head.target.name}"
        page = importance_page(names, head.model.importances(), count, title)
        label = re.sub(r"[^\w.-]", "_", re.sub("[&%]", "", head.target.name))
        pages[f"{job.file_stem}-{label}{PAGE}"] = page
    return pages


def importance_page(names: Sequence[str], importances: NDArray[np.float64], count: int, title: str) -> bytes:
    """Two bar charts side by side, the best features and the worst ones, as HTML with SVG inside.

    Args:
        names: of the features.
        importances: float64[k], their importance.
        count: how many features each chart shows, at most.
        title: above both.
    """
    order = np.argsort(-importances, kind="stable")
    best = [(names[i], float(importances[i])) for i in order[:count]]
    worst = [(names[i], float(importances[i])) for i in order[::-1][:count]]
    charts = "".join(_chart(heading, rows) for heading, rows in (("best", best), ("worst", worst)))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{charts}</body></html>\n"
    ).encode()


def _chart(heading: str, rows: Sequence[tuple[str, float]]) -> str:
    """One chart with a scale of its own: beside the best, the worst would all be nothing."""
    longest = max((value for _, value in rows), default=0.0) or 1.0
    bars = []
    for place, (name, value) in enumerate(rows):
        y = _TOP + place * _ROW
        width = max(0.0, _BAR * value / longest)
        bars.append(
            f'<text x="{_TEXT - 6}" y="{y + 13}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{_TEXT}" y="{y + 2}" width="{width:.1f}" height="{_ROW - 4}"/>'
            f'<text class="n" x="{_TEXT + width + 6:.1f}" y="{y + 13}">{value:.4g}</text>\n'
        )
    height = _TOP + len(rows) * _ROW + 6
    return (
        f'<figure><svg xmlns="http://www.w3.org/2000/svg" width="{_TEXT + _BAR + 90}" height="{height}">'
        f'<text x="{_TEXT}" y="14">{heading}</text>\n{"".join(bars)}</svg></figure>\n'
    )
