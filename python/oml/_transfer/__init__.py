"""Transfer of rows and objects between the database and Python."""
