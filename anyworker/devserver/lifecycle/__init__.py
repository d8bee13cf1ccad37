"""How workflows and their tasks begin, move on and end."""
