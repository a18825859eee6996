"""COPRO: instructions that a model words, in rounds, from those that went well."""
