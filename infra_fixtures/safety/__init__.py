"""Undo journal, watchdog, guard and lock: no fault and no process outlives a run."""
