"""Initialization of a zygote, and of each engine that is forked from it."""

import contextlib
import faulthandler
import gc
import importlib
import os
import pwd
import random
import signal
import sys
import tempfile
import threading

_RUNTIME = (
    "documents",
    "errors",
    "figures",
    "inputs",
    "output",
    "render",
    "results",
    "scripts",
    "signals",
)
_user = "postgres"  # the user of the server; set in the zygote
# They start threads on import, which do not exist in a fork.
_NOT_FORKED = frozenset(("polars",))


def warm_up(preload):
    """Import modules for scripts, so that forks share them."""
    for name in _RUNTIME:
        importlib.import_module(f"_oml_epe_runtime.{name}")
    # If matplotlib is preloaded, its list of fonts is built here, in memory, for all forks. Its
    # file is temporary, so that the list is never an earlier zygote's or written by a script.
    with tempfile.TemporaryDirectory(prefix="oml_epe_zygote_") as folder:
        os.environ["MPLCONFIGDIR"] = folder
        for name in (*preload, "oml"):
            _preload(name)
        if "matplotlib" in sys.modules:
            _preload("matplotlib.font_manager")


def _preload(name):
    if name.partition(".")[0] in _NOT_FORKED:
        _log(f"did not preload {name}, which does not survive a fork; scripts import it")
        return
    threads = _thread_count()
    try:
        importlib.import_module(name)
    except Exception as error:
        _log(f"could not preload {name} in {sys.prefix}: {error!r}")
    for thread in threading.enumerate():  # matplotlib's, which would say that the list takes long
        if isinstance(thread, threading.Timer) and thread.finished.is_set():
            thread.join()
    if _thread_count() > threads:
        _log(f"preloading {name} in {sys.prefix} starts threads, which engines do not have")


def _thread_count():
    return len(os.listdir("/proc/self/task"))


def _log(text):
    print(f"oml_epe: {text}", file=sys.__stderr__)


def freeze():
    """Exclude existing objects from garbage collection, so that forks share their memory."""
    global _user
    with contextlib.suppress(KeyError):
        _user = pwd.getpwuid(os.getuid()).pw_name
    gc.collect()
    gc.freeze()


def folders():
    """Return the folders that imports read."""
    found = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, *sys.path]
    # A prefix of /usr would grant access to more than Python: its folders are on the path.
    return sorted(
        {
            os.path.realpath(folder)
            for folder in found
            if folder and os.path.isabs(folder) and os.path.realpath(folder) not in ("/", "/usr")
        }
    )


def become_engine(stack_descriptor, temp_folder):
    """Turn a fork of the zygote into an engine."""
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()
    faulthandler.enable(file=stack_descriptor, all_threads=False)
    faulthandler.register(signal.SIGUSR2, file=stack_descriptor, all_threads=False, chain=True)
    for name in ("HOME", "TMPDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME"):
        os.environ[name] = temp_folder
    # The sandbox has no user database.
    for name in ("LOGNAME", "USER"):
        os.environ[name] = _user
    tempfile.tempdir = None
    os.chdir(temp_folder)
