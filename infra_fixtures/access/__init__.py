"""Who may use the doors of a run: its credentials, AWS's request signing, bearer secrets, the users behind connections."""
