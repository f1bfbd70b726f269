"""For hours what the ordinary tests do for seconds; see the README of `tests`."""
