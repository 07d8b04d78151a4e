"""Render check results as blocks. Pure."""

from collections.abc import Sequence

from bot.messages.block_kit import MAX_FINDINGS, PART_LIMIT, Block, section
from bot.messages.escape import escape_mrkdwn
from bot.messages.next_command import next_step_text
from imker.protocol.values import Finding
from imker.text import truncate


def render_findings(findings: Sequence[Finding], expanded: bool = True) -> list[Block]:
    """Return a section with warnings, blocks, and passed checks that have a hint. The other checks are counted.

    `expanded`: name the checks that passed, as in a plan.
    """
    problems = [finding for finding in findings if finding.level != "pass"]
    lines = [finding_line(finding) for finding in problems[:MAX_FINDINGS]]
    if len(problems) > MAX_FINDINGS:
        lines.append(f"and {len(problems) - MAX_FINDINGS} more")
    notes = [finding for finding in findings if finding.level == "pass" and (finding.hint or finding.next_commands)]
    lines += [finding_line(finding) for finding in notes[:MAX_FINDINGS]]
    passed = [finding.check for finding in findings if finding.level == "pass"]
    if passed:
        names = f": {escape_mrkdwn(', '.join(dict.fromkeys(passed)))}" if expanded else ""
        lines.append(f"✔️ {len(passed)} checks passed{names}")
    return [section(truncate("\n".join(lines), PART_LIMIT))] if lines else []


def finding_line(finding: Finding) -> str:
    """Return one line: mark, name of the check, text, and what to do next."""
    mark = {"pass": "ℹ️", "warn": "⚠️", "block": "⛔"}[finding.level]
    check, text = escape_mrkdwn(finding.check), escape_mrkdwn(finding.text)
    next_step = next_step_text(finding.hint, finding.next_commands)
    stop = "" if not next_step or text.endswith((".", "?", "!")) else "."
    return f"{mark} *{check}*: {text}{stop} {next_step}".rstrip()
