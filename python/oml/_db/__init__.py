"""Connections to the database, and the conversion of parameters and texts."""
