"""Keeps scripts from taking PostgreSQL's signals away."""

import functools
import signal

import _oml_epe

_POSTGRESQL = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM}


def _without_alarms(function):
    """Refuse the timer that PostgreSQL's time-outs use while a script runs."""

    @functools.wraps(function)
    def guarded(which, *arguments):
        is_ours = function.__name__ == "alarm" or which == signal.ITIMER_REAL
        if is_ours and _oml_epe.is_connected():
            raise RuntimeError(f"signal.{function.__name__} would take PostgreSQL's timer away")
        return function(which, *arguments)

    return guarded


def _without_masking(function):
    """Leave PostgreSQL's signals out of what a running script blocks."""

    @functools.wraps(function)
    def guarded(how, mask):
        if how != signal.SIG_UNBLOCK and _oml_epe.is_connected():
            mask = set(mask) - _POSTGRESQL
        return function(how, mask)

    return guarded


def install():
    """Make `signal.signal` leave PostgreSQL's signals alone while a script runs."""
    set_handler = signal.signal

    @functools.wraps(set_handler)
    def guarded(signalnum, handler):
        # Libraries set handlers to clean up after Ctrl-C and put the old ones back: they need no
        # error, only an answer. A script that could be stopped no more would stay forever.
        if signalnum in _POSTGRESQL and _oml_epe.is_connected():
            return signal.getsignal(signalnum)
        return set_handler(signalnum, handler)

    signal.signal = guarded
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask = _without_masking(signal.pthread_sigmask)
    for name in ("alarm", "setitimer"):
        setattr(signal, name, _without_alarms(getattr(signal, name)))
