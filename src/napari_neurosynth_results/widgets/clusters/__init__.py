"""The cluster table and what is shown of a cluster."""
