"""Programs that are not shipped, written as data alone, each with a story whose numbers were worked by hand."""
