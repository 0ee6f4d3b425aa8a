"""What only the stand-in has: counters of what would cross between a GPU and the computer's memory.

transfers: device to host (get, asnumpy, item, float, int, bool, print; hidden in nonzero and in a mask as index)
uploads:   host to device (array, asarray and set with data of the host)

Tests read them before and after: `cupy.standin.transfers`.
"""

transfers = 0
uploads = 0


def count_transfer():
    """One more transfer from the device to the host."""
    global transfers
    transfers += 1


def count_upload():
    """One more transfer from the host to the device."""
    global uploads
    uploads += 1
