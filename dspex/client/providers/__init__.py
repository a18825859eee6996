"""What differs between providers: formats, base URLs and the names of their keys."""
