"""The durable record of a run: one SQLite file, from which a killed run goes on."""
