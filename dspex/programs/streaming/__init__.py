"""Programs whose fields are handed on while the model is still writing them."""
