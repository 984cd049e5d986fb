"""What users take away: tables, volumes, figures, reports, workspaces."""
