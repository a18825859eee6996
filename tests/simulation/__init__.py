"""Whole machines in virtual time: any order of events, replayed from a seed."""
