"""Define how long connecting to a host may take."""

# Seconds until a TCP connection is open. A host that is down costs so much once or twice in a run. One lost packet is
# sent again after 1 s, so this is more than 1 s and the time of a round trip.
CONNECT_TIMEOUT = 1.3
# Seconds for a query to an Engine that has not answered before in the same job. Hosts that are up need milliseconds.
SILENT_TIMEOUT = 0.4
