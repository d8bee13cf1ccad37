"""What happens at a moment of the engine's time, and what is looked at until it holds."""
