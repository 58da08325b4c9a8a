"""Prevents scripts from changing PostgreSQL's signal handling."""

import functools
import signal

import _oml_epe

_POSTGRESQL = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM}


def _without_alarms(function):
    """Refuse to set the timer of PostgreSQL's timeouts while a script runs."""

    @functools.wraps(function)
    def guarded(which, *arguments):
        is_ours = function.__name__ == "alarm" or which == signal.ITIMER_REAL
        if is_ours and _oml_epe.is_connected():
            raise RuntimeError(f"signal.{function.__name__} would replace PostgreSQL's timer")
        return function(which, *arguments)

    return guarded


def _without_masking(function):
    """Exclude PostgreSQL's signals from the signals that a running script blocks."""

    @functools.wraps(function)
    def guarded(how, mask):
        if how != signal.SIG_UNBLOCK and _oml_epe.is_connected():
            mask = set(mask) - _POSTGRESQL
        return function(how, mask)

    return guarded


def install():
    """Make `signal.signal` a no-op for PostgreSQL's signals while a script runs."""
    set_handler = signal.signal

    @functools.wraps(set_handler)
    def guarded(signalnum, handler):
        # Libraries set handlers to clean up after Ctrl-C and restore the old ones: they need no
        # error, only a return value. A script that cannot be interrupted would run forever.
        if signalnum in _POSTGRESQL and _oml_epe.is_connected():
            return signal.getsignal(signalnum)
        return set_handler(signalnum, handler)

    signal.signal = guarded
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask = _without_masking(signal.pthread_sigmask)
    for name in ("alarm", "setitimer"):
        setattr(signal, name, _without_alarms(getattr(signal, name)))
