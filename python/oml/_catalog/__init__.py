"""Functions for objects of the database: relations, privileges, listings and jobs."""
