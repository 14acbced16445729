"""Every fault both ways, on a real system: it bites, and after healing all is as before."""
