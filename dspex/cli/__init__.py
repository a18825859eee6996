"""The command line: `dspex demo`, `dspex predict`, `dspex evaluate`."""
