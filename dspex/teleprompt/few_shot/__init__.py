"""Optimisers that give a program demos: labeled, bootstrapped, searched, nearest."""
