"""Split a command line or a variable's value into words, as systemd does (extract_first_word). Pure."""

import re
from dataclasses import dataclass

from jobs.daemon_options.mapped_text import Edit, MappedText

WORD = re.compile(
    r"""(?:\\.|"(?:[^"\\]|\\.)*(?:"|\\?\Z)|'(?:[^'\\]|\\.)*(?:'|\\?\Z)|[^ \t\r\n\\"']|\\\Z)+""", re.DOTALL
)
PART = re.compile(
    r"""\\(?P<code>x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}|[0-7]{3}|.)|(?P<mark>["'])|(?P<plain>.)""",
    re.DOTALL,
)
QUOTING = re.compile(r"""[\\"']""")
CODES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}


@dataclass(frozen=True)
class Word:
    """A word. `value`: without quotes and escapes; `start`, `end`: position in its text."""

    value: MappedText
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.value.text


def words(outer: MappedText, *, codes: bool) -> tuple[Word, ...]:
    r"""Return the words. `codes`: interpret escapes such as \x20, as in a unit but not in a variable."""
    spans = (match.span() for match in WORD.finditer(outer.text))
    return tuple(Word(_unquote(outer, start, end, codes), start, end) for start, end in spans)


def remove_words(outer: MappedText, words_found: tuple[Word, ...], first: int, last: int) -> list[Edit]:
    """Return the edits that remove the words `first` to `last`, and the space before or after them.

    Between two comments only the words' own line is removed, so that no comment ends up after other text.
    """
    start, end = words_found[first].start, words_found[last].end
    before = words_found[first - 1].end if first else 0
    after = words_found[last + 1].start if last + 1 < len(words_found) else end
    is_contiguous = outer[before : start + 1].is_contiguous
    if is_contiguous and (first or after == end):
        start = before
    elif after > end and outer[end - 1 : after + 1].is_contiguous:
        end = after
    elif not is_contiguous:
        start = next(at for at in range(before, start + 1) if outer[at : start + 1].is_contiguous)
        end = next(at for at in range(after, end - 1, -1) if outer[end - 1 : at].is_contiguous)
    return outer[start:end].removal_edits()


def _unquote(outer: MappedText, start: int, end: int, codes: bool) -> MappedText:
    if not QUOTING.search(outer.text, start, end):
        return outer[start:end]
    quote, text, spans = "", "", []
    for part in PART.finditer(outer.text, start, end):
        if part["mark"] and quote in ("", part["mark"]):
            quote = "" if quote else part["mark"]
            continue
        new = _unescape(part["code"], codes) if part["code"] else part[0]
        text += new
        spans += [(outer.spans[part.start()][0], outer.spans[part.end() - 1][1])] * len(new)
    return MappedText(text, tuple(spans))


def _unescape(code: str, codes: bool) -> str:
    if not codes or code in "\"'\\":
        return code
    if code in CODES:
        return CODES[code]
    if len(code) == 1:
        return f"\\{code}"  # systemd warns and keeps the backslash
    return chr(int(code, 8) if code[0] in "01234567" else int(code[1:], 16))
