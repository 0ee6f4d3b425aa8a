"""The ground floor of the book: arrays in, arrays out.

=============  =====================================================================
settings       the environment variables (BACKEND, DTYPE, DATA_DIR, BOOK_LANG)
errors         the base class of every error that the package raises on purpose
backend        NumPy or CuPy behind one name, `xp`, and the ways between host and device
rng            the book's stream of random numbers
functions      relu, sigmoid, tanh, softmax and their derivatives
losses         squared error and the two cross-entropies with their gradients
parameters     all parameters of a model in one flat vector
optimizers     gradient descent and Adam on that vector
gradcheck      a backward pass held against finite differences
runtime        what machine this is, and how much memory a run took
commandline    the argument parser of `python -m data` and `python -m chapters`
=============  =====================================================================

Nothing in here knows a model, a data set or a file.
"""
