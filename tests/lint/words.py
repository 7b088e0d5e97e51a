"""Finds phrases in comments and documents that a native engineer wouldn't write (CONTRIBUTING.md has the table).

usage: words.py ROOT [PATH...]

Reads the comments of C++ files and the prose of Markdown files, outside code blocks and `code`: by default those of the
repository. Prints each hit with what to write instead; exits with 1 if there are any.

    include/tenon/x.hpp:12: 'behind': write: after (time, memory)
"""

import re
import sys
from pathlib import Path

# A pattern, and what to write instead. Patterns match in a paragraph, so a line break may be inside of them.
VERBS = r"(?:stand|stands|standing|stood|lie|lies|lying)"
STEMS = "(?:normal|initial|optim|recogn|serial|vector|quant|parallel|minim|maxim|summar|general|special)"
RULES = [
    (r"\bbehind\b", "after (time, memory)"),
    (r"\bwork(?:s|ed|ing)? (?:\w+ ){0,4}off\b", "process, run"),
    (r"\bso many\b", "n, that many"),
    (r"\bno numbers?\b", "NaN; not a number"),
    (r"\b(?:is|are|be|was|were) of (?!(?:the same|another) \w+)(?:the|an?|its|this|that|another)\b",
     "belong to, be from"),
    (r"\b(?:that|which|what|who|it|they|one|library|network) (?:is|are) of(?:[.,;:]|$)", "belong to, be from"),
    (rf"\b{VERBS} (?:at|in|between|beside|inside|outside|there|before|after|next|alone|one|on|under|above|where)\b",
     "is, is at"),
    (r"\bone an? (?:line|image|step|layer|class|thread|core|file|channel|batch|block|storage)\b", "one per ..."),
    (r"\b(?:colour|grey|centre|behaviour|neighbour)(?:s|ed|ing)?\b", "American spelling"),
    (r"\bThrows tenon::Error if\b|\bError if\b|\bThrows Error\b", "Throws tenon::Error when ..."),
    (rf"\b{STEMS}is(?:e|es|ed|ing|ation|ations|er|ers)\b", "American spelling: -ize"),
]

# Phrases that are right where they are: (file, phrase, why).
ALLOWED = [
    ("CONTRIBUTING.md", r"", "the table of the words themselves"),
    ("", r"lies? in (?:\[|the range)", "a number lies in an interval"),
    ("include/tenon/weights/known_networks.hpp", r"no number follows", "digits in a name"),
]


def code_removed(text):
    """Without `code`, "quotations" and links' targets, which name things as they are."""
    for pattern in (r"`[^`]*`", r"(?<=\])\([^)]*\)", r'"[^"]*"'):
        text = re.sub(pattern, lambda match: "``" + "\n" * match[0].count("\n"), text)
    return text


def paragraphs_of_comments(lines):
    """(line number, text) of each comment; lines of a comment that follow each other are one paragraph."""
    paragraph, first = [], 0
    for number, line in enumerate(lines, 1):
        whole = re.match(r"\s*//[/!]?<? ?(.*)", line)
        trailing = None if whole else re.match(r'(?:[^"/]|"(?:[^"\\]|\\.)*"|/(?!/))*//[/!]?<? ?(.*)', line)
        if whole and whole[1].strip():
            first = first or number
            paragraph.append(whole[1].strip())
            continue
        if paragraph:
            yield first, paragraph
        paragraph, first = [], 0
        if trailing:
            yield number, [trailing[1].strip()]
    if paragraph:
        yield first, paragraph


def paragraphs_of_markdown(lines):
    """(line number, text) of each paragraph, list item or row of a table, outside code blocks."""
    paragraph, first, fenced = [], 0, False
    for number, line in enumerate(lines, 1):
        if re.match(r"\s*(```|~~~)", line):
            fenced = not fenced
        is_prose = not fenced and line.strip() and not re.match(r"    |\s*(```|~~~)", line)
        if paragraph and (not is_prose or re.match(r"\s*([-*|#]|\d+\.) ?", line)):
            yield first, paragraph
            paragraph, first = [], 0
        if is_prose:
            first = first or number
            paragraph.append(line.strip())
    if paragraph:
        yield first, paragraph


def is_allowed(name, text):
    return any(name.startswith(file) and re.match(phrase, text, re.IGNORECASE) for file, phrase, _ in ALLOWED)


def hits_of(name, text):
    lines = text.splitlines()
    paragraphs = paragraphs_of_markdown if name.endswith(".md") else paragraphs_of_comments
    for first, paragraph in paragraphs(lines):
        # A `code` or "quotation" may go over a line break, so they are removed before lines are told apart.
        joined = code_removed("\n".join(paragraph))
        for pattern, instead in RULES:
            for match in re.finditer(pattern.replace(" ", r"\s+"), joined, re.IGNORECASE):
                phrase = re.sub(r"\s+", " ", match[0])
                around = re.sub(r"\s+", " ", joined[match.start():match.start() + 60])
                if not is_allowed(name, around):
                    yield first + joined[:match.start()].count("\n"), phrase, instead


def self_test():
    """Each rule finds what it is for, and not what it isn't for."""
    found = {phrase for _, phrase, _ in hits_of("x.hpp", """
        // What stands
        // in the file behind it works the batch off, one a line; so many images, no number at all.
        int x;  ///< the network it is of
        /// Its colour is normalised.
        const char* url = "http://behind";
        """)}
    expected = {"stands in", "behind", "works the batch off", "one a line", "so many", "no number", "it is of"}
    expected |= {"colour", "normalised"}
    assert found == expected, found ^ expected
    right = '// `{n}` stands for "behind"; it is of size 3, a share of the images.\nint behind = 0;'
    assert not list(hits_of("x.hpp", right)), "false hits in C++"
    right = "Text.\n\n```\nbehind\n```\n\n    behind\n\nSee `behind`."
    assert not list(hits_of("x.md", right)), "false hits in Markdown"


def main():
    self_test()
    root = Path(sys.argv[1])
    paths = sys.argv[2:] or ["include", "README.md", "CONTRIBUTING.md", "docs", "examples", "benchmarks", "tests"]
    files = []
    for path in (root / path for path in paths):
        files += path.rglob("*") if path.is_dir() else [path]
    count = 0
    for file in sorted(files):
        if file.suffix not in (".hpp", ".cpp", ".cu", ".cuh", ".md"):
            continue
        name = file.relative_to(root).as_posix()
        for line, phrase, instead in hits_of(name, file.read_text()):
            print(f"{name}:{line}: {phrase!r}: write: {instead}")
            count += 1
    print(f"{count} phrases to rewrite" if count else "no phrases to rewrite")
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
