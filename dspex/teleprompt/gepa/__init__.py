"""GEPA: instructions that evolve by reflection on what went wrong."""
