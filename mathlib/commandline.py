"""What the command lines of data and chapters share."""

import argparse


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message):
        """Print the message and where to read more, and exit with status 2."""
        self.exit(2, f'error: {message} (see {self.prog} --help)\n')
