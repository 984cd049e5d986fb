"""What users take away: tables and label volumes."""
