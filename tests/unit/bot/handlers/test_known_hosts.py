"""The host names that forms offer: read again when they are old, and at each refresh while none are known."""

from redis.exceptions import ConnectionError as RedisConnectionError

from bot.handlers.known_hosts import REFRESH_AFTER, KnownHosts


class Inventory:
    def __init__(self) -> None:
        self.now = 0.0
        self.names: tuple[str, ...] | None = ()
        self.hosts = KnownHosts(self.load, lambda: self.now)

    def load(self) -> tuple[str, ...]:
        if self.names is None:
            raise RedisConnectionError
        return self.names

    def after(self, seconds: float, names: tuple[str, ...] | None) -> tuple[str, ...]:
        self.now += seconds
        self.names = names
        self.hosts.refresh()
        return self.hosts.names


def test_knows_the_first_hosts_at_the_next_refresh() -> None:
    inventory = Inventory()
    assert inventory.after(0, ()) == ()
    assert inventory.after(1, ("tondi",)) == ("tondi",)


def test_reads_known_hosts_again_only_when_they_are_old() -> None:
    inventory = Inventory()
    assert inventory.after(0, ("tondi",)) == ("tondi",)
    assert inventory.after(REFRESH_AFTER - 1, ("kaditz",)) == ("tondi",)
    assert inventory.after(1, ("kaditz",)) == ("kaditz",)


def test_keeps_the_hosts_while_redis_does_not_respond() -> None:
    inventory = Inventory()
    inventory.after(0, ("tondi",))
    assert inventory.after(REFRESH_AFTER, None) == ("tondi",)
    assert inventory.after(REFRESH_AFTER, ("kaditz",)) == ("kaditz",)
