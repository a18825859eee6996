"""What an evaluation found: outcomes, what they come to, and how they are shown."""
