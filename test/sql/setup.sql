-- What the other tests need.
CREATE EXTENSION oml_epe;
