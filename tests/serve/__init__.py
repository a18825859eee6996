"""The service and the process around it."""
