"""DistilBERT written by hand in NumPy: to teach with, and to check numbers against."""

from . import runtime  # noqa: F401 - before NumPy is loaded
from .config import DistilBertConfig
from .errors import (
    CheckpointError,
    ConfigError,
    DistilBertError,
    FileError,
    InputError,
    TrainingError,
)
from .models import (
    DistilBertForMaskedLM,
    DistilBertForMultipleChoice,
    DistilBertForQuestionAnswering,
    DistilBertForSequenceClassification,
    DistilBertForTokenClassification,
    DistilBertModel,
)
from .pipelines import (
    EmbedPipeline,
    FeatureExtractionPipeline,
    FillMaskPipeline,
    MultipleChoicePipeline,
    Pipeline,
    QuestionAnsweringPipeline,
    TextClassificationPipeline,
    TokenClassificationPipeline,
    pipeline,
)
from .tokenizer import DistilBertTokenizer

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DistilBertConfig",
    "DistilBertError",
    "DistilBertForMaskedLM",
    "DistilBertForMultipleChoice",
    "DistilBertForQuestionAnswering",
    "DistilBertForSequenceClassification",
    "DistilBertForTokenClassification",
    "DistilBertModel",
    "DistilBertTokenizer",
    "EmbedPipeline",
    "FeatureExtractionPipeline",
    "FileError",
    "FillMaskPipeline",
    "InputError",
    "MultipleChoicePipeline",
    "Pipeline",
    "QuestionAnsweringPipeline",
    "TextClassificationPipeline",
    "TokenClassificationPipeline",
    "TrainingError",
    "pipeline",
]
