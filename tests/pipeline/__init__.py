"""The pipeline over the store in memory: rare courses of things, made to happen on purpose."""
