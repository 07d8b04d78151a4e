"""Format the modals, the Home tab, and the welcome."""

from typing import Any

from redis import Redis

from bot.auth.policy import Denied
from bot.commands.form_fields import form_commands
from bot.commands.table import BY_NAME
from bot.handlers import decisions, forms
from bot.listeners.forms import NOT_OPENED
from bot.messages.replies import responses
from bot.messages.replies.welcome import welcome
from bot.messages.views import form, home
from bot.messages.views.form import CommandForm
from bot.reconciler.home import NOT_A_MEMBER, HomeSource, build_page
from imker.protocol.events import NodeTable
from imker.protocol.values import NodeRow
from lab.slack.plain_text import view_text
from tests.golden.private_replies import PEOPLE, create_harness
from tests.golden.text_layout import page, section
from tests.support.bot_harness import IDS, LEI, OPS

NODES = (
    NodeRow("m1", True, "tondi", "Accepted", "Ready", "Active", "Leader", "26.1.5"),
    NodeRow("m2", False, "lausen", "Accepted", "Ready", "Active", "Reachable", "26.1.5"),
    NodeRow("w1", False, "miltitz", "Accepted", "Down", "Active", "", "26.1.5"),
)


def modals() -> str:
    commands = form_commands(BY_NAME)
    command_forms = [CommandForm((OPS, LEI), commands), *(CommandForm((OPS,), commands, chosen) for chosen in commands)]
    titles = ["the form, two channels", *(f"the form for {chosen.name}" for chosen in commands)]
    texts = [form.command_form(each) for each in command_forms]
    notices = (
        form.FORM_GONE, forms.INVALID_SUBMISSION, forms.NO_CHANNEL, decisions.NOT_IN_CHANNEL, NOT_OPENED,
    )  # fmt: skip
    return page(
        *(_section(title, view) for title, view in zip(titles, texts, strict=True)),
        _section("the form behind Reject", form.reject_form("tondi", "")),
        *(_section("a notice", form.notice(responses.info(text))) for text in notices),
    )


def homes(redis: Redis) -> str:
    bench = create_harness(redis)
    for state in ("pending", "running", "over", "fleet"):
        bench.create_run(state)
    access, table = bench.handler.access, NodeTable("tondi", bench.timestamp.unix, NODES)
    runs = [
        (each.state, bench.runs.fleet_state(each))
        for each in bench.runs.snapshots(record.run for record in bench.runs.recent(9))
    ]
    source, sections = HomeSource(tuple(runs), table, ()), []
    for who, may in PEOPLE.items():
        actor = access.fetch_actor(IDS[who], fresh=False)
        sections.append(_section(f"{who} ({may})", home.render(build_page(access, actor, (OPS, LEI), source))))
    return page(
        *sections,
        _section("Redis does not respond", home.unavailable()),
        _section("not a member", home.denied(Denied(NOT_A_MEMBER))),
    )


def welcomes(redis: Redis) -> str:
    rights = create_harness(redis).file.rights
    return page(
        *(
            section(title, welcome(channel, (OPS, LEI), rights, with_names).text)
            for title, channel, with_names in (
                ("as it is posted", OPS, False),
                ("after its edit", OPS, True),
                ("in a channel that is not configured", "C09NEW", True),
            )
        )
    )


def _section(title: str, view: dict[str, Any]) -> str:
    labels = " | ".join(view[name]["text"] for name in ("title", "submit", "close") if name in view)
    hints = [block["hint"]["text"] for block in view["blocks"] if "hint" in block]
    return section(title, *([labels] if labels else []), view_text(view), *hints)
