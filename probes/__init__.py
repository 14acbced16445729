"""Questions put to a running system, one a file; they look and never change anything."""
