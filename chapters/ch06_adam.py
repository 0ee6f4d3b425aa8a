"""Chapter 6: the same perceptron, trained with Adam.

Plain gradient descent gives every parameter the same learning rate. Adam gives each its own, from the running mean of
its gradient (where it is going) and of its square (how much it jumps). See mathlib.optimizers.Adam.
"""

from chapters.ch05_mlp_model import MlpModel
from mathlib.optimizers import Adam


class AdamModel(MlpModel):
    """MlpModel with a switch: set `use_adam = True` before training to have the parameters moved by Adam.

    name, dataset, hconfigs: as for MlpModel.
    """

    use_adam = False

    def __init__(self, name, dataset, hconfigs):
        self.adam = Adam()
        super().__init__(name, dataset, hconfigs)

    def apply_gradients(self):
        """Move all parameters by one step of Adam, or of gradient descent while `use_adam` is False."""
        if self.use_adam:
            self.adam.update(self.parameters, self.learning_rate)
        else:
            super().apply_gradients()
