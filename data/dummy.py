"""A data set without data, to look at the structure of a network (chapter 9)."""

from data.dataset import Dataset
from data.errors import DataError


class DummyDataset(Dataset):
    """Only the shapes of one input and one output, for example [299, 299, 3] and [200], or 200.

    Enough to build a model and to print what it is made of; whoever asks it for rows gets a DataError.
    """

    def __init__(self, name, mode, input_shape, output_shape):
        super().__init__(name, mode)
        self.kind = 'dummy'
        self.input_shape = tuple(input_shape)
        self.output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.tr_xs = self.tr_ys = self.va_xs = self.va_ys = self.te_xs = self.te_ys = ()

    def _no_rows(self, *_):
        raise DataError(
            f'{self.name} is a DummyDataset: it has shapes ({list(self.input_shape)} => {list(self.output_shape)}) but '
            f'no rows. A model on it can be built and looked at; to train or test it, give it a set with data.'
        )

    shuffle_train_data = get_train_data = get_test_data = get_validate_data = get_visualize_data = _no_rows
    visualize = _no_rows
