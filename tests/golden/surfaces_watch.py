"""Format the messages of the watch: incidents when they are open and resolved, replies, and `/swarm watch`."""

from bot.messages.block_kit import Message
from bot.messages.watch.incident import abandoned_message, incident_message, leader_message, repeat_message
from bot.messages.watch.status import WatchView, watch_status
from bot.watch.fold import start_again
from bot.watch.model import WatchMode, WatchState
from bot.watch.notices import incident_messages, repeats
from tests.golden.text_layout import message, page, section
from tests.support.watch_looks import START, fold

BOB, OPS, EVERY = "U02BOB", "C01OPS", 60
STORIES: dict[str, tuple[str, ...]] = {  # what is seen from the second look on
    "a worker is Down": ("lausen Down",) * 2,
    "a worker is back": ("lausen Down", "lausen Down", "", ""),
    "a worker is removed": ("lausen Down", "lausen Down", "lausen gone"),
    "the leader is Down": ("connewitz Down, tondi leads",) * 2,
    "two managers are Down": ("connewitz Down, tondi Down, kaditz leads",) * 2,
    "a manager is unreachable": ("tondi unreachable",) * 2,
    "two workers are Down": ("lausen Down, miltitz Down",) * 2,
    "one of two workers is back": ("lausen Down, miltitz Down", "lausen Down, miltitz Down", *("lausen Down",) * 2),
    "two workers are back": ("lausen Down, miltitz Down", "lausen Down, miltitz Down", "", ""),
    "a flapping worker": ("lausen Down", "lausen Down", "", "", "lausen Down", "lausen Down"),
    "no manager answers": ("no manager",) * 2,
    "a manager answers again": ("no manager", "no manager", "", ""),
    "a service": ("web 1/3 no node fits: constraint node.labels.ssd==yes matches 0 of 5 nodes",) * 3,
    "a service without a reason": ("web 0/1",) * 3,
    "a service has all its tasks again": (*("web 1/3",) * 3, "", ""),
    "two services": ("web 1/3 image nginx:9 was not found, api 0/1 the container exits with code 137",) * 3,
    "a certificate": ("hosts", "kaditz cert 12.5d"),
    "a certificate has expired": ("hosts", "kaditz cert 20d", "kaditz cert -1d"),
    "a certificate is renewed": ("hosts", "kaditz cert 12.5d", "hosts"),
    "daemon options": ("hosts", "kaditz drift icc was removed"),
    "daemon options of two hosts": ("hosts", "kaditz drift icc was removed, tondi drift debug was added"),
    "daemon options are restored": ("hosts", "kaditz drift icc was removed", "hosts"),
    "markup in names": ("<!channel>_*web* 1/3 `rm -rf` <@U01ALICE>",) * 3,
}


def messages() -> str:
    abandoned = section("an incident that is no longer followed", _text(abandoned_message()))
    return page(*(section(title, *_story(_state(looks))) for title, looks in STORIES.items()), abandoned)


def _state(looks: tuple[str, ...]) -> WatchState:
    state = fold(WatchState(), "", 0)
    for number, sees in enumerate(looks, 1):
        state = fold(state, sees, number * EVERY)
    return state


def _story(state: WatchState) -> list[str]:
    """Return the messages, and the replies in their threads."""
    lines = []
    for each in incident_messages(state):
        lines.append(_text(incident_message(each)))
        lines += [f"reply, also to the channel: {_text(repeat_message(repeat))}" for repeat in repeats(each)]
    return [*lines, *(f"reply: {_text(leader_message(change))}" for change in state.leadership.changes)]


def statuses() -> str:
    down, several = _state(("lausen Down",) * 2), _state(("connewitz Down, tondi leads, web 0/1, lausen Down",) * 4)
    baseline = fold(fold(WatchState(), "lausen Down, web 1/3", 0), "lausen Down, web 1/3, hosts", 0)
    views = {
        "no swarm yet": (WatchMode(), WatchState()),
        "nothing is wrong": (WatchMode(), _state(("",))),
        "a worker is Down": (WatchMode(), down),
        "several incidents": (WatchMode(), several),
        "one incident is resolved": (WatchMode(), _state(STORIES["a worker is back"])),
        "known since the watch began": (WatchMode(), baseline),
        "muted": (WatchMode(muted_until=START + 7200, user=BOB), down),
        "the mute has ended": (WatchMode(muted_until=START + 60, user=BOB), down),
        "turned on by a user": (WatchMode(user=BOB), down),
        "off": (WatchMode(is_on=False, user=BOB), start_again(down)),
    }
    sections = [section(title, _status(mode, state, 150)) for title, (mode, state) in views.items()]
    late = section("the last look is late", _status(WatchMode(), down, 1500))
    return page(*sections, late)


def _status(mode: WatchMode, state: WatchState, seconds: float) -> str:
    return _text(watch_status(WatchView(mode, state, EVERY, OPS), START + seconds))


def _text(content: Message) -> str:
    return message(content.text, content.blocks)
