"""The services of a simulated swarm: their API, where their tasks are placed, and how they are updated."""
