"""What an experiment is: which model, which configuration, which data set, which settings, what was published."""

from dataclasses import dataclass, field

NOTEBOOK = "the book's public notebook"
BOOK, COURSE = 'the book', 'course report'
# One run with the book's seed; the flowers models of chapter 7 in the order 4, 1, 2, 3 on one stream of random numbers.
OWN_CODE = "the book's code on these pictures"


@dataclass(frozen=True)
class Published:
    """A published result: test accuracy (two for two answers), seconds of training, and where it stands."""

    accuracy: tuple
    seconds: int | None = None
    source: str = NOTEBOOK


@dataclass(frozen=True)
class Experiment:
    """One experiment. `model_name` is what the book calls the model; `name` is unique across chapters.

    model_args: of the model's constructor, beside name, data set and layers. attributes: set on the model before
    training, such as use_adam. shows: how many estimates are shown after the
    test, once for each number; the draws belong to the book's stream of random numbers.
    """

    name: str
    model_class: type
    model_name: str
    hconfigs: list
    dataset_class: type
    dataset_args: dict = field(default_factory=dict)
    epoch_count: int = 10
    batch_size: int = 10
    learning_rate: float = 0.001
    report: int = 0
    model_args: dict = field(default_factory=dict)
    attributes: dict = field(default_factory=dict)
    shows: tuple = (3,)
    published: tuple = ()
    note: str = ''
