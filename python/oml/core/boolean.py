"""Columns of class Boolean."""

from __future__ import annotations

from oml.core.series import Boolean

__all__ = ["Boolean"]
