"""Render check results as blocks. Pure."""

from collections.abc import Sequence

from bot.messages.block_kit import MAX_FINDINGS, PART_LIMIT, Block, container, section
from bot.messages.escape import escape_mrkdwn, escape_with_code
from bot.messages.next_command import next_step_text
from imker.protocol.values import Finding
from imker.text import one_line, truncate


def render_findings(findings: Sequence[Finding], folds_notes: bool = False) -> list[Block]:
    """Return a section with warnings, blocks, and notes: passed checks that have a hint. Other checks are folded away.

    `folds_notes`: fold the notes away too, as they help only before the steps start.
    """
    problems = [finding for finding in findings if finding.level != "pass"]
    lines = [finding_line(finding) for finding in problems[:MAX_FINDINGS]]
    if len(problems) > MAX_FINDINGS:
        lines.append(f"and {len(problems) - MAX_FINDINGS} more")
    notes = [finding for finding in findings if finding.level == "pass" and (finding.hint or finding.next_commands)]
    note_lines = [finding_line(finding) for finding in notes[:MAX_FINDINGS]]
    passed = [finding.check for finding in findings if finding.level == "pass"]
    if folds_notes:
        return [*_section(lines), *_passed_checks(passed, note_lines)]
    return [*_section([*lines, *note_lines]), *_passed_checks(passed, ())]


def _section(lines: Sequence[str]) -> list[Block]:
    return [section(truncate("\n".join(lines), PART_LIMIT))] if lines else []


def _passed_checks(names: Sequence[str], note_lines: Sequence[str]) -> list[Block]:
    """Return a container with the notes, and the names of the checks that passed."""
    if not names:
        return []
    title = f"✔️ {len(names)} check{'s' * (len(names) != 1)} passed"
    title += f", {len(note_lines)} note{'s' * (len(note_lines) != 1)}" if note_lines else ""
    texts = dict.fromkeys(one_line(name) or "check" for name in names)
    text = escape_mrkdwn(truncate(", ".join(texts), PART_LIMIT))
    return [container("passed_checks", title, [*_section(note_lines), section(text)])]


def finding_line(finding: Finding) -> str:
    """Return one line: mark, name of the check, text, and what to do next."""
    mark = {"pass": "ℹ️", "warn": "⚠️", "block": "⛔"}[finding.level]
    check, text = escape_mrkdwn(finding.check), escape_with_code(finding.text)
    next_step = next_step_text(finding.hint, finding.next_commands)
    stop = "" if not next_step or text.endswith((".", "?", "!")) else "."
    return f"{mark} *{check}*: {text}{stop} {next_step}".rstrip()
