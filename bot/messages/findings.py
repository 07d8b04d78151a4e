"""Render check results as blocks. Pure."""

from collections.abc import Sequence

from bot.messages.block_kit import MAX_FINDINGS, PART_LIMIT, Block, section
from bot.messages.escape import escape_mrkdwn
from imker.protocol.values import Finding
from imker.text import truncate


def render_findings(findings: Sequence[Finding], expanded: bool = True) -> list[Block]:
    """What warns and blocks, and what passed and is to be known, each with what to do; the rest in one line.

    `whole`: with the names of all that passed, as one reads them in a plan; while a host is moved they are in the way.
    """
    weighty = [finding for finding in findings if finding.level != "pass"]
    lines = [finding_line(finding) for finding in weighty[:MAX_FINDINGS]]
    if len(weighty) > MAX_FINDINGS:
        lines.append(f"and {len(weighty) - MAX_FINDINGS} more")
    notes = [finding for finding in findings if finding.level == "pass" and finding.hint]
    lines += [finding_line(finding) for finding in notes[:MAX_FINDINGS]]
    passed = [finding.check for finding in findings if finding.level == "pass"]
    if passed:
        names = f": {escape_mrkdwn(', '.join(dict.fromkeys(passed)))}" if expanded else ""
        lines.append(f"✔️ {len(passed)} checks passed{names}")
    return [section(truncate("\n".join(lines), PART_LIMIT))] if lines else []


def finding_line(finding: Finding) -> str:
    mark = {"pass": "ℹ️", "warn": "⚠️", "block": "⛔"}[finding.level]
    stop = "" if not finding.hint or finding.text.endswith((".", "?", "!")) else "."
    return f"{mark} *{escape_mrkdwn(finding.check)}*: {escape_mrkdwn(finding.text)}{stop} {escape_mrkdwn(finding.hint)}".rstrip()
