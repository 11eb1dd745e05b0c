"""The exceptions: one family, each message one clear line for a person."""

from typing import Any


class DistilBertError(ValueError):
    """Anything that was given to this package and that it cannot use."""

    def __init__(self, message: str) -> None:
        # What it quotes may be without end, or hold line ends and a terminal's codes.
        if len(message) > 1000:
            message = f"{message[:700]} … {message[-200:]}"
        shown = (c if c.isprintable() else repr(c)[1:-1] for c in message)
        super().__init__("".join(shown))


class ConfigError(DistilBertError):
    """A configuration field is missing, of the wrong type, or out of range."""


class CheckpointError(DistilBertError):
    """A checkpoint file or folder cannot be used: damaged, incomplete, unsupported."""


class InputError(DistilBertError):
    """An argument of a call (ids, masks, labels, texts) is not what is expected."""


class FileError(DistilBertError, OSError):
    """A file cannot be read or written: the system refuses, or the disk is full."""


class TrainingError(DistilBertError):
    """Training cannot go on, or cannot be resumed: a loss of NaN, other settings."""


def shown(value: Any) -> str:
    """Return the beginning of how a value prints, in one line, for a message."""
    try:
        text = repr(value)
    except Exception:                            # too deep, too many digits, its own
        text = f"a {type(value).__name__}"
    return one_line(text)[:60]


def one_line(text: str) -> str:
    """Return a text with its lines, and its spaces, drawn together."""
    return " ".join(text.split())
