"""MIPROv2: instructions and demos proposed beforehand, then searched together."""
