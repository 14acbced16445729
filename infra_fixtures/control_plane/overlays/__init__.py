"""Where moto lacks something or gets it wrong: one file a matter, each with an `apply()` that mends moto in place."""
