"""Running Python in engines of the database: the five embedded execution functions."""

from oml.embed.apply import do_eval, group_apply, index_apply, row_apply, table_apply

__all__ = ["do_eval", "group_apply", "index_apply", "row_apply", "table_apply"]
