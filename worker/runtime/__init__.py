"""The worker as a process: its parts, what runs beside them, and how they end."""
