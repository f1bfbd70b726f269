"""Small changes of the fold's code, one at a time, each of which a test has to notice."""
