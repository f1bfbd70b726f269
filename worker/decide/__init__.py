"""The pure fold: terms, state and facts in; entries, messages and the next due instant out. No I/O, no clock, no floats."""
