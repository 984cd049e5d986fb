"""What the panels share: tables, dialogs, jobs, layout."""
