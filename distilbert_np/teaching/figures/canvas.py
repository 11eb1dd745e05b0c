"""The canvas: large type, colours for the colour-blind that can be told in grey.

The only file that imports matplotlib. A figure is a function of a trace or of a file,
and returns a picture: the figure, and what it shows in a sentence, with numbers read
off the same data, for who cannot see it.
"""

import base64
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

# Okabe and Ito's colours, light and dark enough apart to be told in grey.
BLUE, ORANGE, GREEN, BLACK = "#0072B2", "#E69F00", "#009E73", "#000000"
RED, SKY, PINK = "#D55E00", "#56B4E9", "#CC79A7"
# Lines side by side differ in colour, in dashes and in markers.
LINES = [
    {"color": color, "linestyle": dashes, "marker": marker, "linewidth": 2.5,
     "markersize": 9, "markeredgecolor": BLACK}
    for color, dashes, marker in (
        (BLUE, "-", "o"), (RED, "--", "s"), (GREEN, "-.", "^"), (ORANGE, ":", "D"),
        (PINK, (0, (5, 1)), "v"), (SKY, (0, (1, 1)), "P"), (BLACK, (0, (6, 3)), "X"),
    )
]
# Bars side by side differ by hatching.
PLAIN = {"color": BLUE}
HATCHED = {"facecolor": ORANGE, "edgecolor": BLACK, "hatch": "//"}
LIGHT_TO_DARK = "Blues"                          # from white; even in grey
TITLE, LABEL, TICK = 18, 15, 13                  # points, on 10 to 15 inches
LINE = 0.24                                      # inches that a label of TICK is high
LONGEST = 12                                     # letters of a token that are shown
FORMATS = (".png", ".svg")


class Picture(NamedTuple):
    """A figure (of matplotlib), and the same in words.

    A notebook shows it where it is the last line of a cell. The words go with it as
    alternative text; JupyterLab does not show that: print(picture.text) does.
    """

    figure: Any
    text: str

    def save(self, path: Path) -> None:
        """Write the picture as .png or .svg, as the name says, with title and words."""
        with path.open("wb") as file:
            self.write(file, path.suffix.removeprefix("."), dots_per_inch=150)

    def write(self, file: Any, form: str, dots_per_inch: int) -> None:
        """Write the picture into an open file; its title is the figure's own."""
        from matplotlib import rc_context

        metadata = {"Title": self.figure.get_suptitle(), "Description": self.text}
        if form == "svg":
            metadata["Date"] = None              # the same picture is the same file
        with rc_context({"svg.hashsalt": "distilbert_np"}):
            self.figure.savefig(
                file, format=form, dpi=dots_per_inch, metadata=metadata
            )

    def __str__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        file = io.BytesIO()
        self.write(file, "png", dots_per_inch=72)
        shown = {"image/png": base64.b64encode(with_palette(file)).decode()}
        return shown, {"image/png": {"alt": self.text}}

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        printer.text(str(self))


def with_palette(png: io.BytesIO) -> bytes:
    """Return a picture in 256 colours and a third of the bytes: notebooks stay small.
    """
    from PIL import Image  # matplotlib brings it

    small = io.BytesIO()
    Image.open(png).convert("RGB").quantize(256).save(small, "png", optimize=True)
    return small.getvalue()


def canvas(
    title: str,
    width: float,
    height: float,
    rows: int = 1,
    columns: int = 1,
    **grid: Any,
) -> tuple[Any, Any]:
    """Return a new figure with a title, inches wide and high, and its axes.

    The axes are one, or an array of them where there are rows or columns; `grid` are
    further arguments of matplotlib's subplots.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)                      # with it, text is measured quickly
    figure.suptitle(title, fontsize=TITLE)
    axes = figure.subplots(rows, columns, **grid)
    for each in figure.axes:
        each.tick_params(labelsize=TICK)
    return figure, axes


# --- text -----------------------------------------------------------------------------


def shortened(token: str, longest: int = LONGEST) -> str:
    """Return a token, or its beginning and … where it is long."""
    return token if len(token) <= longest else token[: longest - 1] + "…"


def default_font() -> Any:
    """Return the font that figures are written in."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return get_font(findfont(FontProperties()))


def drawable(text: str) -> str:
    """Return a text as matplotlib draws it letter by letter.

    □ stands for what the font lacks; dollars open no formula.
    """
    font = default_font()
    known = (c if font.get_char_index(ord(c)) else "□" for c in text)
    return "".join(known).replace("$", r"\$")


def inches_wide(text: str) -> float:
    """Return how wide a label of TICK is."""
    font = default_font()
    font.set_size(TICK, 72)
    font.set_text(text)
    return font.get_width_height()[0] / 64 / 72  # in 64ths of a point


def label_tokens(axis: Any, tokens: Sequence[str], inches: float) -> None:
    """Label an axis of this length with tokens: each, or every k-th and its place.

    Along x they are written upwards, unless they have room to lie.
    """
    step = math.ceil(len(tokens) * LINE / inches)
    places = range(0, len(tokens), step)
    words = [drawable(shortened(tokens[place])) for place in places]
    if step > 1:
        words = [f"{place} {word}" for place, word in zip(places, words, strict=True)]
    room = inches * step / len(tokens) - 0.1
    lies = axis.axis_name == "y" or max(map(inches_wide, words)) < room
    axis.set_ticks(places, words, rotation=0 if lies else 90)


def apart(values: Sequence[float], gap: float) -> list[float]:
    """Return heights for labels at the values: no two are nearer than the gap.

    From the lowest up, each is lifted off the one below it.
    """
    heights = [0.0] * len(values)
    below = -math.inf
    for i in sorted(range(len(values)), key=lambda i: values[i]):
        heights[i] = below = max(values[i], below + gap)
    return heights


# --- lines and shades -----------------------------------------------------------------


def draw_lines(
    axes: Any, segments: Any, widths: Any, strengths: Any, color: str = BLUE
) -> None:
    """Draw many lines, (n, 2, 2) from (x, y) to (x, y), each of its width and strength.
    """
    from matplotlib.collections import LineCollection

    colors = [(color, float(strength)) for strength in strengths]
    axes.add_collection(
        LineCollection(segments, linewidths=widths, colors=colors, capstyle="round")
    )


def shade(darkness: float) -> tuple[float, ...]:
    """Return a colour, the darker the nearer to 1, that is even in grey."""
    import matplotlib

    return matplotlib.colormaps[LIGHT_TO_DARK](float(darkness))


def readable_on(darkness: float) -> str:
    """Return the colour of a text that stands on a shade."""
    return "white" if darkness > 0.65 else BLACK
