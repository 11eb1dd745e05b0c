"""Attention seen: who looks at whom, how heads are split, what padding would take."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import attention
from ...errors import InputError
from ...functions import Array
from .canvas import (
    BLACK,
    LABEL,
    LIGHT_TO_DARK,
    LINE,
    TICK,
    Picture,
    canvas,
    draw_lines,
    drawable,
    label_tokens,
    shade,
    shortened,
)
from .reading import array_of, array_of_text, check_index, check_tokens, count_layers

FROM, TO = "looks (query)", "is looked at (key)"
NUMBERED = 0.5                                   # inches of a cell that holds a number
MOST_TOKENS, MOST_HEADS, MOST_NUMBERS = 6, 4, 3  # of a split that are shown
MOST_LETTERS = 8                                 # of a token in it

# --- all heads ------------------------------------------------------------------------


def all_heads(trace: Any, tokens: Sequence[str], text: int = 0) -> Picture:
    """Return a figure of the attention weights of every head of every layer.

    `trace` is that of model(**inputs, trace=True), `tokens` are those of the text, and
    `text` counts the texts of the batch. Raises InputError.
    """
    layers = range(count_layers(trace))
    weights = [array_of_text(trace, i, "attention.weights", text) for i in layers]
    weights = np.stack(weights)                                    # (N, H, L, L)
    N, H, L = weights.shape[:3]
    tokens = check_tokens(tokens, L)
    side = min(2.6, max(0.9, 12.5 / H))                            # inches of a panel
    figure, panels = canvas(
        "All heads: each row is a token that looks", max(10, H * side + 2.5),
        N * (side + 0.1) + 2, N, H, squeeze=False, sharex=True, sharey=True,
    )
    for (i, h), axes in np.ndenumerate(panels):
        image = draw_weights(axes, weights[i, h], weights.max())
    label_grid(panels, tokens, side)
    show_scale(figure, image, panels)
    return Picture(figure, all_heads_in_words(weights, tokens))


def label_grid(panels: Any, tokens: list[str], inches: float) -> None:
    """Name layers and heads at the edges; and tokens, where a panel has room for all.
    """
    for i, axes in enumerate(panels[:, 0]):
        axes.set_ylabel(f"layer {i}", fontsize=LABEL)
    for h, axes in enumerate(panels[0]):
        axes.set_title(f"head {h}", fontsize=TICK)
    for axes in panels.flat:
        for axis in (axes.xaxis, axes.yaxis):
            if len(tokens) * LINE > inches:
                axis.set_ticks([])
            else:
                label_tokens(axis, tokens, inches)


def all_heads_in_words(weights: Array, tokens: list[str]) -> str:
    """Return what most heads look at, and which are sharpest and most even."""
    N, H, L = weights.shape[:3]
    favourites = weights.mean(axis=2).argmax(axis=-1)              # (N, H)
    place, count = Counter(favourites.ravel().tolist()).most_common(1)[0]
    sharpness = weights.max(axis=-1).mean(axis=-1)                 # (N, H)
    sharpest = np.unravel_index(sharpness.argmax(), (N, H))
    evenest = np.unravel_index(sharpness.argmin(), (N, H))
    return (
        f"{N} layers of {H} heads, over {L} tokens: {count} of the {N * H} heads give "
        f"most attention to {named(tokens, place)}; the sharpest is layer "
        f"{sharpest[0]}, head {sharpest[1]}, where a token's largest weight is "
        f"{sharpness[sharpest]:.2f} on average; the most even is layer {evenest[0]}, "
        f"head {evenest[1]} ({sharpness[evenest]:.2f})."
    )


# --- one head -------------------------------------------------------------------------


def one_head(
    trace: Any, tokens: Sequence[str], layer: int = 0, head: int = 0, text: int = 0
) -> Picture:
    """Return a figure of the attention weights of one head, with the tokens beside it.

    Layers, heads and texts are counted from 0. Raises InputError.
    """
    weights, tokens = weights_of_head(trace, tokens, layer, head, text)  # (L, L)
    side = min(9.5, max(6.0, 0.5 * len(tokens)))
    title = f"Attention weights of layer {layer}, head {head}"
    figure, axes = canvas(title, side + 4, side + 2.5)
    image = draw_weights(axes, weights, weights.max())
    label_tokens(axes.yaxis, tokens, side)
    label_tokens(axes.xaxis, tokens, side)
    write_weights(axes, weights, side)
    axes.set_ylabel(FROM, fontsize=LABEL)
    axes.set_xlabel(TO, fontsize=LABEL)
    show_scale(figure, image, axes)
    return Picture(figure, head_in_words(weights, tokens, layer, head))


def weights_of_head(
    trace: Any, tokens: Sequence[str], layer: int, head: int, text: int
) -> tuple[Array, list[str]]:
    """Return one head's weights (L, L) for one text, and its tokens, checked."""
    weights = array_of_text(trace, layer, "attention.weights", text)     # (H, L, L)
    check_index("head", head, len(weights))
    return weights[head], check_tokens(tokens, weights.shape[-1])


def draw_weights(axes: Any, weights: Array, largest: float) -> Any:
    """Draw weights (rows, columns) as squares, the larger the darker."""
    return axes.imshow(weights, cmap=LIGHT_TO_DARK, vmin=0, vmax=largest)


def write_weights(axes: Any, weights: Array, inches: float) -> None:
    """Write each weight of at least 0.01 into its square, if these are wide enough."""
    if inches / weights.shape[1] < NUMBERED:
        return
    for (row, column), weight in np.ndenumerate(weights):
        if weight >= 0.01:
            axes.text(
                column, row, f"{weight:.2f}".removeprefix("0"), fontsize=TICK,
                ha="center", va="center",
                color="white" if weight > weights.max() / 2 else BLACK,
            )


def show_scale(figure: Any, image: Any, axes: Any) -> None:
    """Put the scale of the weights beside the axes."""
    scale = figure.colorbar(image, ax=axes, shrink=0.8)
    scale.set_label("weight", fontsize=LABEL)
    scale.ax.tick_params(labelsize=TICK)


def head_in_words(weights: Array, tokens: list[str], layer: int, head: int) -> str:
    """Return which token is looked at most, and where the largest weight is."""
    shares = weights.mean(axis=0)                                        # (L,)
    row, column = np.unravel_index(weights.argmax(), weights.shape)
    return (
        f"Layer {layer}, head {head}, over {len(tokens)} tokens: most attention goes "
        f"to {named(tokens, shares.argmax())} ({shares.max():.2f} on average); the "
        f"largest weight, {weights.max():.2f}, is from {named(tokens, row)} to "
        f"{named(tokens, column)}."
    )


def named(tokens: list[str], place: int) -> str:
    """Return the token at a place; and the place, if other tokens are the same."""
    token = tokens[place]
    return f"“{token}”" + (f" (place {place})" if tokens.count(token) > 1 else "")


# --- one head, as lines ---------------------------------------------------------------


def head_lines(
    trace: Any, tokens: Sequence[str], layer: int = 0, head: int = 0, text: int = 0
) -> Picture:
    """Return a figure of one head's weights as lines from token to token.

    Drawn is what is more than an even share, 1/L: the larger, the wider and darker.
    """
    weights, tokens = weights_of_head(trace, tokens, layer, head, text)  # (L, L)
    L = len(tokens)
    side = min(10.0, max(4.0, 0.4 * L))
    title = f"Layer {layer}, head {head}: who looks at whom"
    figure, axes = canvas(title, 10, side + 2)
    chosen = weights * L > 1 + 1e-6                                      # no rounding
    rows, columns = np.nonzero(chosen)
    ends = [rows, columns]
    segments = np.stack([np.broadcast_to([[0], [1]], (2, len(rows))), ends], axis=-1)
    strengths = weights[chosen] / weights.max()
    draw_lines(axes, segments.swapaxes(0, 1), 0.5 + 6 * strengths, strengths)
    label_both_sides(axes, tokens, side)
    return Picture(
        figure,
        f"{head_in_words(weights, tokens, layer, head)} Drawn are the {len(rows)} of "
        f"{L * L} weights that are more than an even share, 1/{L}.",
    )


def label_both_sides(axes: Any, tokens: list[str], inches: float) -> None:
    """Write the tokens down both sides of bare axes, the first on top."""
    label_tokens(axes.yaxis, tokens, inches)
    axes.set_ylim(len(tokens) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 1], [FROM, TO], fontsize=LABEL)
    axes.tick_params(length=0, labelright=True, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)


# --- the split ------------------------------------------------------------------------


def reshape_then_transpose(x: Array, n_heads: int) -> Array:       # -> (H, L, K)
    """Split the one text (1, L, D) as the library does."""
    return attention.split_heads(x, n_heads)[0]


def reshape_alone(x: Array, n_heads: int) -> Array:                # -> (H, L, K)
    """Split the one text (1, L, D) as many do: only the shape is right."""
    return x.reshape(n_heads, x.shape[1], -1)


def split_heads(
    trace: Any, tokens: Sequence[str], layer: int = 0, text: int = 0
) -> Picture:
    """Return a figure of the queries of a text, split into heads rightly and wrongly.

    The same code runs on the numbers and on a note of whose they are, which is told by
    name and shade. Of a large text it is the first tokens and heads that are split.
    """
    q = array_of_text(trace, layer, "attention.q", text)           # (H, L, K)
    tokens = check_tokens(tokens, q.shape[1])[:MOST_TOKENS]
    title = f"Queries of layer {layer}: {parts_shown(q)}, {q.shape[2]} numbers each"
    q = q[:MOST_HEADS, :MOST_TOKENS]
    (H, L, K), x = q.shape, attention.merge_heads(q[None])         # (1, L, D)
    whose = np.broadcast_to(np.arange(L)[:, None], x.shape)        # (1, L, D)
    right = reshape_then_transpose(whose, H)[..., 0]               # (H, L)
    wrong = reshape_alone(whose, H)[..., 0]                        # (H, L)

    figure, panels = canvas(title, 15, 0.9 * L + 4.5, rows=3)
    draw_pieces(panels[0], reshape_then_transpose(x, H), right, tokens, gap=0)
    draw_pieces(panels[1], reshape_then_transpose(x, H), right, tokens, gap=0.08)
    draw_pieces(panels[2], reshape_alone(x, H), wrong, tokens, gap=0.08)
    name_splits(panels, K, [tokens[owner] for owner in first_head(wrong)])
    return Picture(figure, split_in_words(right, wrong, tokens))


def parts_shown(q: Array) -> str:
    """Return how many tokens and heads of (H, L, K) are shown."""
    return ", ".join(
        f"{n} {name}" if n <= most else f"the first {most} of {n} {name}"
        for n, most, name in (
            (q.shape[1], MOST_TOKENS, "tokens"), (len(q), MOST_HEADS, "heads")
        )
    )


def name_splits(panels: Any, K: int, seen: list[str]) -> None:
    """Write above the three panels what they show; `seen` by the wrong head 0."""
    words = ", ".join(drawable(shortened(token)) for token in seen)
    titles = (
        f"before: a token is a row of numbers; the first {min(K, MOST_NUMBERS)} for "
        "each head are written",
        "✓ reshape, then transpose: each head sees every token",
        f"✗ reshape alone: head 0 sees only {words}",
    )
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=LABEL, loc="left")
    starts = range(0, K * len(panels[0].get_xticks()), K)
    panels[0].set_xticklabels([f"numbers {i} to {i + K - 1}" for i in starts])


def draw_pieces(
    axes: Any, numbers: Array, owners: Array, tokens: list[str], gap: float
) -> None:
    """Draw what each head holds, (H, L, K): a row of numbers in its owner's shade.

    `owners` (H, L) are places of tokens; `gap` is what stands between two heads.
    """
    H, L = owners.shape
    for (h, row), owner in np.ndenumerate(owners):
        left, darkness = h * (1 + gap), 0.75 * owner / max(1, L - 1)
        axes.barh(
            row, 1, height=1, left=left, color=shade(darkness), edgecolor=BLACK
        )
        color = BLACK if darkness < 0.5 else "white"
        write_piece(axes, left, row, tokens[owner], numbers[h, row], color)
    middles = [h * (1 + gap) + 0.5 for h in range(H)]
    axes.set_xticks(middles, [f"head {h}" for h in range(H)])
    axes.set_yticks([])
    axes.set_xlim(-0.01, middles[-1] + 0.51)
    axes.set_ylim(L - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def write_piece(
    axes: Any, left: float, row: int, token: str, numbers: Array, color: str
) -> None:
    """Write whose piece this is, and its first numbers."""
    style = {"fontsize": TICK, "color": color, "va": "center"}
    axes.text(left + 0.02, row, drawable(shortened(token, MOST_LETTERS)), **style)
    for i, number in enumerate(numbers[:MOST_NUMBERS]):
        axes.text(left + 0.56 + 0.16 * i, row, f"{number:.1f}", ha="right", **style)
    if len(numbers) > MOST_NUMBERS:
        axes.text(left + 0.98, row, "…", ha="right", **style)


def first_head(owners: Array) -> list[int]:
    """Return the places of which head 0 holds a piece; the owners are (H, L)."""
    return np.unique(owners[0]).tolist()


def split_in_words(right: Array, wrong: Array, tokens: list[str]) -> str:
    """Return whose numbers head 0 holds, either way; the owners are (H, L)."""
    cut, dealt = (
        ", ".join(named(tokens, owner) for owner in first_head(owners))
        for owners in (right, wrong)
    )
    return (
        f"{len(tokens)} tokens, split into {len(right)} heads. Reshape, then "
        f"transpose: head 0 holds a piece of {cut}. Reshape alone: head 0 holds pieces "
        f"of {dealt}."
    )


# --- padding --------------------------------------------------------------------------


def padding(
    masked: Any, unmasked: Any, tokens: Sequence[str], layer: int = 0, head: int = 0,
    text: int = 0,
) -> Picture:
    """Return a figure of one head's weights with padding hidden, and with it seen.

    Two traces of the same padded texts: with their attention_mask, and without. The
    rows of the padding itself are left out: nobody reads them. Raises InputError.
    """
    hidden, tokens = weights_of_head(masked, tokens, layer, head, text)      # (L, L)
    seen, _ = weights_of_head(unmasked, tokens, layer, head, text)           # (L, L)
    is_padding = padding_of(masked, text)                                    # (L,)
    rows = [t for t, pad in zip(tokens, is_padding, strict=True) if not pad]
    hidden, seen = hidden[~is_padding], seen[~is_padding]                    # (R, L)

    width = 6.1                                                # inches of a panel
    height = width * len(rows) / len(tokens)
    title = f"Layer {layer}, head {head}: what padding takes"
    figure, panels = canvas(title, 15, height + 2.6, columns=2, sharey=True)
    largest = max(hidden.max(), seen.max())
    draw_padding(panels[0], hidden, is_padding, largest, "hidden")
    image = draw_padding(panels[1], seen, is_padding, largest, "seen")
    for axes in panels:
        label_tokens(axes.xaxis, tokens, width)
        axes.set_xlabel(TO, fontsize=LABEL)
    label_tokens(panels[0].yaxis, rows, height)
    panels[0].set_ylabel(FROM, fontsize=LABEL)
    show_scale(figure, image, panels)
    shares = [taken_by(is_padding, weights) for weights in (hidden, seen)]   # (R,)
    return Picture(figure, padding_in_words(*shares, rows, layer, head))


def padding_of(trace: Any, text: int) -> Array:                              # -> (L,)
    """Return which places of a text the attention_mask hides: some, but not all."""
    is_padding = array_of(trace, "inputs.attention_mask")[text] == 0
    if is_padding.all() or not is_padding.any():
        raise InputError(
            f"masked: its attention_mask hides {is_padding.sum()} of the "
            f"{len(is_padding)} tokens of text {text}; give a text with padding"
        )
    return is_padding


def taken_by(is_padding: Array, weights: Array) -> Array:                    # -> (R,)
    """Return how much of each row's attention goes to padding."""
    return weights[:, is_padding].sum(axis=-1)


def draw_padding(
    axes: Any, weights: Array, is_padding: Array, largest: float, state: str
) -> Any:
    """Draw weights (R, L), with a frame around what padding gets, and its sum."""
    image = draw_weights(axes, weights, largest)
    edges = np.flatnonzero(np.diff(is_padding, prepend=False, append=False)) - 0.5
    for start, end in edges.reshape(-1, 2):
        axes.bar(
            start, len(weights), end - start, -0.5, align="edge", fill=False,
            edgecolor=BLACK, linewidth=3, linestyle="--",
        )
    share = taken_by(is_padding, weights).mean()
    axes.set_title(f"padding {state}: it takes {share:.2f} on average", fontsize=LABEL)
    return image


def padding_in_words(
    hidden: Array, seen: Array, rows: list[str], layer: int, head: int
) -> str:
    """Return how much attention padding takes, hidden and seen, and from which row."""
    row = seen.argmax()
    return (
        f"Layer {layer}, head {head}: hidden by the mask, padding takes "
        f"{hidden.mean():.2f} of a token's attention; seen, {seen.mean():.2f} on "
        f"average, and most, {seen[row]:.2f}, from {named(rows, row)}."
    )
