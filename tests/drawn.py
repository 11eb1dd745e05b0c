"""What a drawn figure looks like: where its texts are, and what covers what."""

import itertools

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

SLACK = 1.0                                      # pixels that boxes may share


def boxes(figure):
    """Return (words, box) of every text that is drawn, in pixels; arrows apart."""
    drawn = FigureCanvasAgg(figure)
    drawn.draw()
    ticks, shown = set(), []
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                ticks |= {tick.label1, tick.label2}
                if low <= tick.get_loc() <= high:
                    shown += [tick.label1, tick.label2]
    shown += [text for text in figure.findobj(Text) if text not in ticks]
    renderer = drawn.get_renderer()
    return [
        (text.get_text(), Text.get_window_extent(text, renderer))
        for text in shown if text.get_visible() and text.get_text().strip()
    ]


def is_apart(one, other):
    return (
        one.x1 <= other.x0 + SLACK or other.x1 <= one.x0 + SLACK
        or one.y1 <= other.y0 + SLACK or other.y1 <= one.y0 + SLACK
    )


def overlaps(figure):
    """Return the pairs of texts that overlap, and the texts that leave the figure."""
    found, (width, height) = boxes(figure), figure.bbox.size
    pairs = [
        (words, others)
        for (words, one), (others, other) in itertools.combinations(found, 2)
        if not is_apart(one, other)
    ]
    outside = [
        words for words, box in found
        if min(box.x0, box.y0) < -SLACK or box.x1 > width + 1 or box.y1 > height + 1
    ]
    return pairs + outside


def covered(figure):
    """Return the points of lines that a legend covers."""
    drawn = FigureCanvasAgg(figure)
    drawn.draw()
    found = []
    for axes in figure.axes:
        if axes.get_legend() is None:
            continue
        legend = axes.get_legend().get_window_extent(drawn.get_renderer())
        for line in axes.lines:
            points = axes.transData.transform(line.get_xydata())
            found += [(line.get_label(), *p) for p in points if legend.contains(*p)]
    return found


def smallest_type(figure):
    """Return the size of the smallest text, in points."""
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
    return min(sizes)
