"""AWS FIS as the harness uses it, against a scripted FIS that speaks its HTTP."""
