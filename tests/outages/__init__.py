"""What a provider costs that is away in the middle of a run."""
