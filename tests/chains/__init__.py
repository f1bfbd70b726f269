"""Facts in chains: what somebody writes, changes or removes by hand is told, and never taken for what was sent."""
