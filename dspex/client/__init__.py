"""From a request to a provider's answer: sockets, retries, breaker and limits."""
