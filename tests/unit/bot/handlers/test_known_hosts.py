"""The host names that forms offer: read again when they are old, and at each refresh while none are known."""

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from bot.handlers.known_hosts import REFRESH_AFTER, KnownHosts
from bot.messages import responses
from imker import signing
from imker.protocol import version
from tests.support.bot_harness import KEY, BotHarness
from tests.unit.bot.listeners.test_receiver import ALL


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


def test_a_reply_that_names_a_run_marks_hosts_that_were_read_just_now(redis: Redis) -> None:
    """The RQ workers may have written the inventory after the bot has looked for it."""
    handler = BotHarness(redis, ALL).handler
    redis.set(version.INVENTORY_KEY, signing.sign_for(KEY, version.INVENTORY_KEY, '["kaditz"]'))
    handler.hosts.names = ()
    assert "`kaditz`" not in str(handler.with_references(responses.info("migrate kaditz")))
    assert "migrate `kaditz`" in str(handler.with_references(responses.info("migrate kaditz, run `xghoj4zb`")))
