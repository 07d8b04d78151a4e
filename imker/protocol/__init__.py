"""Define the messages between bot and jobs: commands, events, and their JSON.

In: values. Out: values, JSON, and signed JSON. No I/O except log entries, no clock. Nothing here imports Redis, RQ,
Slack, or a library that reaches hosts.
"""
