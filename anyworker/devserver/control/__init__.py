"""What is done to workflows from outside."""
