"""Systems that stand already, drilled by the attach target."""
