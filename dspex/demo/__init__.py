"""The tasks of `dspex demo`: small tables of facts that the project carries."""
