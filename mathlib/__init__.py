"""The ground floor of the book: arrays in, arrays out.

=============  =====================================================================
settings       the environment variables (BACKEND, DTYPE, DATA_DIR, WORKERS, BOOK_LANG)
errors         the base class of every error that the package raises on purpose
backend        NumPy or CuPy behind one name, `xp`, and the ways between host and device
rng            the book's stream of random numbers
functions      relu, sigmoid, tanh, softmax and their derivatives
windows        where the kernels of convolution and pooling stand
conv           convolution forward and back; columns (im2col) and winograd do the work
linear         the product of a full layer, shared by its columns
pool           max and average pooling forward and back
norm           batch normalisation forward and back, for a team
planes         the order of a map's numbers in memory
scratch        buffers that are used again, and blocks of work that fit the cache
branches       maps side by side or added up, and their gradients taken apart
lrn            local response normalisation forward and back
team           the threads that share a training step
crew           the same with processes, for networks of many short operations
losses         squared error and the two cross-entropies with their gradients
parameters     all parameters of a model in one flat vector
optimizers     gradient descent and Adam on that vector
schedules      how the learning rate changes in the course of a training
gradcheck      a backward pass held against finite differences
runtime        what machine this is, and how much memory a run took
choices        a choice by name with options, checked
quoting        what a reader wrote, quoted briefly in an error
commandline    the argument parser of `python -m data` and `python -m chapters`
=============  =====================================================================

Nothing in here knows a model, a data set or a file.
"""
