"""What machine this is, and how much memory a run took: for the record of a run."""

import os
import platform
import re
import sys
from pathlib import Path


def cpu_name():
    """The processor's name as the operating system gives it."""
    cpuinfo = Path('/proc/cpuinfo')
    if cpuinfo.exists():
        found = re.search(r'^model name\s*:\s*(.+)$', cpuinfo.read_text(), re.MULTILINE)
        if found:
            return found.group(1).strip()
    return platform.processor() or platform.machine()


def cpu_count():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def memory_mb():
    """The memory that this process holds now, in MB (1e6 bytes); None where the system does not tell."""
    return _status_mb('VmRSS')


def peak_memory_mb():
    """The most memory this process has held so far, in MB (1e6 bytes); None on Windows, which does not tell."""
    # On Linux getrusage hands down the peak of the process that started this one.
    peak = _status_mb('VmHWM')
    if peak is not None:
        return peak
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == 'darwin' else peak * 1024 / 1e6


def _status_mb(entry):
    """An entry of Linux's /proc/self/status in MB, or None."""
    status = Path('/proc/self/status')
    found = re.search(rf'^{entry}:\s*(\d+) kB$', status.read_text(), re.MULTILINE) if status.exists() else None
    return int(found[1]) * 1024 / 1e6 if found else None


def describe():
    """The machine, for the record of a run: a dict with system, processor, cores and Python version."""
    return {
        'system': platform.system(),
        'processor': cpu_name(),
        'cores': cpu_count(),
        'python': platform.python_version(),
    }
