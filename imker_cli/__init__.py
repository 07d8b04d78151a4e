"""Provide the command `imker`. It only dispatches: what a command does is in bot, jobs, and imker."""
