"""What a picture holds: each text as it is drawn, and the texts that are in the way."""

from unittest.mock import patch

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

ODD = [
    "[CLS]", "##internationalisierung", "東京", "😀", "$x$", "a$b", "_under", "a\\b",
    "WWWWWWWWWWWWWWW", "i", "{", "%", "^", "##s", "[SEP]",
]


def drawn_texts(figure):
    """Draw a figure; return its texts and where each stands, (left, bottom, …)."""
    found, draw = [], Text.draw

    def note(self, renderer, *more, **named):
        if self.get_visible() and self.get_text().strip():
            box = Text.get_window_extent(self, renderer)           # without an arrow
            found.append((self.get_text(), box.extents))
        return draw(self, renderer, *more, **named)

    with patch.object(Text, "draw", note):
        FigureCanvasAgg(figure).draw()
    return found


def in_the_way(figure):
    """Return the texts over the figure's edge, and the pairs of those that overlap."""
    texts = drawn_texts(figure)
    boxes = np.array([box for _, box in texts])                    # (n, 4)
    edge = figure.bbox.extents
    over = (boxes[:, :2] < edge[:2] - 1) | (boxes[:, 2:] > edge[2:] + 1)
    starts = np.maximum(boxes[:, None, :2], boxes[:, :2])          # (n, n, 2)
    ends = np.minimum(boxes[:, None, 2:], boxes[:, 2:])            # (n, n, 2)
    pairs = np.argwhere(np.triu((ends - starts > 1).all(axis=-1), 1))
    return [texts[i][0] for i in np.flatnonzero(over.any(axis=-1))] + [
        (texts[i][0], texts[j][0]) for i, j in pairs
    ]


def covered(figure):
    """Return the points of lines that a legend covers."""
    drawn = FigureCanvasAgg(figure)
    drawn.draw()
    found = []
    for axes in filter(lambda axes: axes.get_legend(), figure.axes):
        legend = axes.get_legend().get_window_extent(drawn.get_renderer())
        for line in axes.lines:
            points = axes.transData.transform(line.get_xydata())
            found += [(line.get_label(), *p) for p in points if legend.contains(*p)]
    return found


def smallest_type(figure):
    """Return the smallest size of type in a figure, in points."""
    return min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text())


def tokens_of(length, kind="odd"):
    """Return so many tokens, short ones, long ones, or odd ones."""
    words = {"short": ["a", "to"], "long": ["##internationalisierung"], "odd": ODD}
    return [words[kind][i % len(words[kind])] for i in range(length)]
