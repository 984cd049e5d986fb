"""P values: from any kind of map to p and back, far tails and many tests included."""
