"""Programs as a service over HTTP, in a process that lives for months."""
