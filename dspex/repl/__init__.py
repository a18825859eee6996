"""A session with a running tree: what `dspex repl` and notebooks show."""
