"""The exceptions: one family, each message one clear line for a person."""


class DistilBertError(ValueError):
    """Anything that was given to this package and that it cannot use."""


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
