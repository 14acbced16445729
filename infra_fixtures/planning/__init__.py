"""What a game day on a real account will do: found out, printed, kept, and agreed to before anything is changed."""
