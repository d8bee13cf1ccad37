"""What the server reads and says: JSON, the fields of bodies, refusals word by word."""
