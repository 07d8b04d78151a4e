"""Define how long connecting to a host may take."""

# Seconds until a TCP connection is open. A host that is down costs so much once or twice in a run. One lost packet is
# sent again after 1 s, so this is more than 1 s.
CONNECT_TIMEOUT = 1.5
