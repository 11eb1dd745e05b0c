"""The canvas: large type, colours for the colour-blind that can be told in grey.

The only file that imports matplotlib. A figure is a function of a trace or of a file,
and returns a picture: the figure, and what it shows in a sentence, with numbers read
off the same data, for who cannot see it.
"""

import base64
import io
from pathlib import Path
from typing import Any, NamedTuple

# Okabe and Ito's colours, light and dark enough apart to be told in grey.
BLUE, ORANGE, GREEN, BLACK = "#0072B2", "#E69F00", "#009E73", "#000000"
LIGHT_TO_DARK = "cividis_r"                      # a colour map that is even in grey
TITLE, LABEL, TICK = 18, 15, 13                  # points, on 10 to 15 inches
FORMATS = (".png", ".svg")


class Picture(NamedTuple):
    """A figure (of matplotlib), and the same in words.

    A notebook shows it where it is the last line of a cell, with the words as
    alternative text.
    """

    figure: Any
    text: str

    def save(self, path: Path) -> None:
        """Write the picture as .png or .svg, as the name says, with title and words."""
        with path.open("wb") as file:
            self.write(file, path.suffix.removeprefix("."), dots_per_inch=150)

    def write(self, file: Any, form: str, dots_per_inch: int) -> None:
        """Write the picture into an open file; its title is the figure's own."""
        metadata = {"Title": self.figure.get_suptitle(), "Description": self.text}
        if form == "svg":
            metadata["Date"] = None              # the same picture is the same file
        self.figure.savefig(file, format=form, dpi=dots_per_inch, metadata=metadata)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        file = io.BytesIO()
        self.write(file, "png", dots_per_inch=72)
        shown = {
            "image/png": base64.b64encode(file.getvalue()).decode(),
            "text/plain": self.text,
        }
        return shown, {"image/png": {"alt": self.text}}


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
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=TITLE)
    axes = figure.subplots(rows, columns, **grid)
    for each in figure.axes:
        each.tick_params(labelsize=TICK)
    return figure, axes
