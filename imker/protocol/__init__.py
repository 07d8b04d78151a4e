"""What jobs accept and what they tell: all that the bot may know of them.

In: values. Out: values and their JSON, sealed where Redis keeps it. No I/O but a word in the log, no clock; nothing of
Redis, RQ, Slack or a host's libraries lives here.
"""
