"""One drill or a day of them put together: options, the world, traffic and probes of a scenario, records and reports.

The pytest plugin is one way in, `python -m scenarios play` another.
"""
