"""Render a service: why tasks do not run, its tasks, its settings, and last Docker's own words. Pure."""

from collections.abc import Iterable

from bot.messages import tables
from bot.messages.block_kit import LINE_LIMIT, PART_LIMIT, Block, container, context, section, timestamp
from bot.messages.escape import escape_code, escape_mrkdwn, escape_with_code, inline_code
from imker.protocol.service_events import ServiceDetails, ServiceRow, ServiceTable
from imker.text import strip_control, truncate

MAX_NAMES, MAX_REASONS = 3, 5  # names in a headline, and reasons in a message
DOCKER_SAYS = "Docker's own words:"


def services_result(table: ServiceTable) -> tuple[str, str]:
    """Return the mark, "" if nothing is wrong, and the line about all services, unescaped."""
    total = f"{len(table.rows)} service{'s' * (len(table.rows) != 1)}"
    unwell = [row for row in table.rows if row.status in ("unhealthy", "paused")]
    updating = sum(row.status == "updating" for row in table.rows)
    more = f"; {updating} updating" if updating else ""
    if not unwell:
        return "", f"{total}{more}" if not table.rows or updating else f"{total}, all healthy"
    names = ", ".join(f"{row.name} {counts(row)}" for row in unwell[:MAX_NAMES])
    others = f" and {len(unwell) - MAX_NAMES} more" if len(unwell) > MAX_NAMES else ""
    verb = "is" if len(unwell) == 1 else "are"
    return "⚠️", f"{len(unwell)} of {total} {verb} unhealthy: {names}{others}{more}"


def service_result(details: ServiceDetails) -> tuple[str, str]:
    """Return the mark, "" if nothing is wrong, and the line about one service, unescaped."""
    row = details.service
    state = f"{row.name}: {counts(row)} {'completed' if row.mode.endswith('-job') else 'running'}"
    if row.status == "healthy":
        return "", state
    return ("" if row.status == "updating" else "⚠️"), f"{state}, {row.problem or row.status}"


def counts(row: ServiceRow) -> str:
    """Return how many tasks run of those that should."""
    return f"{row.running}/{row.desired}"


def service_blocks(details: ServiceDetails, now: float) -> list[Block]:
    """Return the blocks of a service."""
    reasons, tasks = _reason_lines(details), tables.tasks(details.tasks, now)
    more = tables.omitted_rows(tasks)
    origin = f"Reported by {escape_mrkdwn(details.answered_by)} at {timestamp(details.taken_at)}"
    words = _docker_words(details)
    return [
        *([section("\n".join(reasons))] if reasons else []),
        *([tables.table_block(tasks)] if tasks.rows else []),
        *([container("service_settings", "Settings", [section(_settings_text(details))])] if details.settings else []),
        context(f"and {more} more tasks  ·  {origin}" if more else origin),
        *([section(f"{DOCKER_SAYS}\n```{words}```")] if words else []),
    ]


def service_text(details: ServiceDetails, now: float) -> list[str]:
    """Return the lines of a service for notifications and screen readers."""
    tasks, words = tables.tasks(details.tasks, now), _docker_words(details)
    return [
        *_reason_lines(details),
        *([f"```{escape_code(tables.table_text(tasks))}```"] if tasks.rows else []),
        *([_settings_text(details)] if details.settings else []),
        *([f"{DOCKER_SAYS} ```{words}```"] if words else []),
    ]


def _reason_lines(details: ServiceDetails) -> list[str]:
    return [f"⚠️ {escape_with_code(truncate(each.text, LINE_LIMIT))}" for each in details.reasons[:MAX_REASONS]]


def _docker_words(details: ServiceDetails) -> str:
    """Return Docker's own texts, each once and whole."""
    texts: Iterable[str] = dict.fromkeys(
        strip_control(each.docker_text) for each in details.reasons if each.docker_text
    )
    return truncate(escape_code("\n".join(dict.fromkeys(filter(None, texts)))), PART_LIMIT)


def _settings_text(details: ServiceDetails) -> str:
    lines = (f"*{escape_mrkdwn(name)}*  {inline_code(truncate(value, LINE_LIMIT))}" for name, value in details.settings)
    return truncate("\n".join(lines), PART_LIMIT)
