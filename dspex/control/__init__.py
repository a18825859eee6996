"""Looking inside a process that runs, from another terminal."""
