"""Queues of tasks, the polls that wait at them, and who may be given to a worker."""
