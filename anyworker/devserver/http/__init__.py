"""Requests and answers, apart from any way of carrying them."""
