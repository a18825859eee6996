"""From DSPy to dspex: what a program's text has to change, and what it cannot have."""
