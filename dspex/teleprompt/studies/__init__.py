"""A study: one search of an optimiser, kept step by step, so that it can go on.

`study` does and keeps the steps, `conducting` begins, ends and judges, `recorded_study`
reads one back; what an optimiser says before it begins is a `plan`.
"""
