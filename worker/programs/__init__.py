"""Point programs: terms files, the registry, and which program an event belongs to."""
