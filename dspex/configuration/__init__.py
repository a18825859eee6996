"""Flags, environment and files as one configuration that knows its origins."""
