"""Read fields of a Redis hash that others can write, without reading values that are too long.

In: a key, and the limit of each field in bytes. Out: the values, or UnusableField. Longer values never leave Redis.
"""

from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

READ_SCRIPT = """
local values = {}
for at = 1, #ARGV, 2 do
  if redis.call('hstrlen', KEYS[1], ARGV[at]) > tonumber(ARGV[at + 1]) then
    return redis.error_reply('TOOLONG the field ' .. ARGV[at] .. ' is too long')
  end
  values[#values + 1] = redis.call('hget', KEYS[1], ARGV[at])
end
return values
"""
ERROR_CODES = ("TOOLONG", "WRONGTYPE")


class UnusableField(ValueError):
    """Raised if the key is not a hash, or a field is too long."""


def read_bounded_fields(redis: "Redis", key: str, limits: Mapping[str, int]) -> dict[str, bytes]:
    """Return the fields that exist. Raises UnusableField and RedisError."""
    arguments = [word for field, limit in limits.items() for word in (field, limit)]
    try:
        values: Any = redis.register_script(READ_SCRIPT)(keys=[key], args=arguments)
    except ResponseError as refused:
        if any(word in str(refused) for word in ERROR_CODES):
            raise UnusableField(f"{key}: {refused}"[:200]) from refused
        raise
    return {field: value for field, value in zip(limits, values, strict=True) if value is not None}
