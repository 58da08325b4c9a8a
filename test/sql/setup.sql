-- Setup for the other tests.
CREATE EXTENSION oml_epe;
