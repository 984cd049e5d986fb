"""Requests: to whom, how often, what may come back, what is kept."""
