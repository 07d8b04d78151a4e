"""Ask for what Imker needs and write imker.toml, .env, and known_hosts: the command `imker init`.

`flow` runs the questions. The folder `answers` is pure.
"""
