"""What several tests share: maps, figures and batches made on the spot."""
