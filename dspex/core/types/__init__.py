"""Types of fields that are more than text: pictures, files, tools, code, history.

Each module has one type. `Type` is the base of your own.
"""
