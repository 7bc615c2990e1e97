#!/usr/bin/env python3
"""Checks the documentation: `tools/documents.py [ROOT]`. Prints one line for each fault, and exits with 1 if there is one.

- Every relative link in a tracked Markdown file leads to a tracked file or directory, and its anchor to a heading in that file.
- Every mention of a page in another tracked file (`docs/operations.md, Restoring`) names an existing page and heading.
- README.md links to every page, and has at most 160 lines.
- Every block of shell commands says whether a test runs it. CONTRIBUTING.md, "Pages", lists the comments.
- Prose lines have at most 130 characters.
"""

import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import NamedTuple

README_LINES = 160
PROSE_COLUMNS = 130

FENCE = re.compile(r"^\s*(```+|~~~+)\s*(\w*)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
DEFINITION = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$")
# A page and, after a comma, one of its headings. The heading ends at a bracket, a quote or the end of the sentence.
MENTION = re.compile(r"(?<![\w/.-])((?:docs/)?[A-Za-z-]+\.md)(?:, ([A-Z][\w /-]*))?")
RUN = re.compile(r"^<!-- (?:run by (?P<test>\S+)|not run by a test: (?P<reason>.*\S.*)) -->$")
SHELLS = {"sh", "bash", "shell", "console", "zsh"}


class Block(NamedTuple):
    """A fenced block: its language, its first line, the line above it, and its content."""

    language: str
    line: int
    above: str
    text: str

    @property
    def indented(self) -> bool:
        return self.above.startswith(" ")


class Page:
    """The parts of a Markdown file that the checks use."""

    def __init__(self, text: str) -> None:
        self.prose: list[tuple[int, str]] = []
        self.blocks: list[Block] = []
        self.lines = text.splitlines()
        opened, above = None, ""
        for number, line in enumerate(self.lines, 1):
            fence = FENCE.match(line)
            if opened:
                if fence and fence[1].startswith(opened[0]) and not fence[2]:
                    content = "".join(f"{line}\n" for line in self.lines[opened[2] : number - 1])
                    self.blocks.append(Block(opened[1], opened[2], above, content))
                    opened = None
            elif fence:
                opened = (fence[1], fence[2], number)
                above = self.lines[number - 2] if number > 1 else ""
            else:
                self.prose.append((number, line))
        self.headings = [match[1] for _, line in self.prose if (match := HEADING.match(line))]
        self.anchors: set[str] = set()
        for heading in self.headings:
            anchor = unique = slug(heading)
            count = 0
            while unique in self.anchors:
                count += 1
                unique = f"{anchor}-{count}"
            self.anchors.add(unique)

    def links(self) -> list[tuple[int, str]]:
        found = []
        for number, line in self.prose:
            line = re.sub(r"`+", "", re.sub(r"(`+)(?!`)(.*?)(?<!`)\1(?!`)", code_in_link, line))
            found += [(number, target) for target in LINK.findall(line) + DEFINITION.findall(line)]
        return found


def code_in_link(match: re.Match[str]) -> str:
    """Code may contain brackets that are not links. A link whose text is code stays a link."""
    return re.sub(r"[\[\]()]", "", match[0])


def slug(heading: str) -> str:
    """Return GitHub's anchor for a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
        listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], check=True, capture_output=True, text=True)
        self.files = {name for name in listed.stdout.split("\0") if name and (root / name).is_file()}
        self.directories = {str(parent) for name in self.files for parent in PurePosixPath(name).parents}
        self.pages = {name: Page(self.read(name)) for name in sorted(self.files) if name.endswith(".md")}
        self.faults: list[str] = []

    def read(self, name: str) -> str:
        return (self.root / name).read_text(errors="replace")

    def fault(self, name: str, line: int, message: str) -> None:
        self.faults.append(f"{name}:{line}: {message}")

    def check_links(self, name: str, page: Page) -> set[str]:
        """Return the files that the page links to."""
        reached = set()
        for line, target in page.links():
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, anchor = target.partition("#")
            file = resolved(PurePosixPath(name).parent / path) if path else name
            if file not in self.files and file not in self.directories:
                self.fault(name, line, f"`{target}` leads to no file of the repository")
                continue
            reached.add(file)
            if anchor and file in self.pages and anchor not in self.pages[file].anchors:
                self.fault(name, line, f"`{target}` leads to no heading of {file}")
        return reached

    def check_mentions(self, name: str) -> None:
        for number, line in enumerate(self.read(name).splitlines(), 1):
            for path, heading in MENTION.findall(line):
                page = self.pages.get(path)
                if page is None and path.startswith("docs/"):
                    self.fault(name, number, f"there is no page `{path}`")
                elif page and heading and not any(heading.startswith(known.replace("`", "")) for known in page.headings):
                    self.fault(name, number, f"`{path}` has no heading `{heading}`")

    def check_commands(self, name: str, page: Page) -> None:
        for block in page.blocks:
            if block.language not in SHELLS:
                continue
            says = RUN.match(block.above.strip())
            if block.language != "sh":
                self.fault(name, block.line, f"write `sh` instead of `{block.language}`")
            if not says:
                self.fault(name, block.line, "say above these commands whether a test runs them (CONTRIBUTING.md, Pages)")
            elif says["test"] == ".ci/run":
                if name != "README.md" or self.first_commands() != block.text:
                    self.fault(name, block.line, "`.ci/run` runs only what tools/readme-commands.sh prints")
            elif says["test"] == "tests/integration/documents.rs":
                # The test reads these pages.
                if name != "README.md" and PurePosixPath(name).parent != PurePosixPath("docs"):
                    self.fault(name, block.line, "`tests/integration/documents.rs` runs only commands of README.md and docs")
                if block.indented or self.pages[name].lines[block.line - 1] != "```sh":
                    self.fault(name, block.line, "`tests/integration/documents.rs` runs only a block `sh` that is not indented")
            elif says["test"] and says["test"].startswith("tests/e2e/scenarios/") and says["test"] in self.files:
                if f'"{name}"' not in self.read(says["test"]):
                    self.fault(name, block.line, f"`{says['test']}` does not mention this page")
            elif says["test"]:
                self.fault(name, block.line, f"`{says['test']}` runs no commands of the documentation")

    def first_commands(self) -> str:
        script = self.root / "tools/readme-commands.sh"
        if "tools/readme-commands.sh" not in self.read(".ci/run"):
            return ""
        return subprocess.run([script], check=True, capture_output=True, text=True).stdout

    def check(self) -> list[str]:
        for name, page in self.pages.items():
            reached = self.check_links(name, page)
            if name == "README.md":
                for other in sorted(self.pages.keys() - reached - {name}):
                    self.fault(name, 1, f"has no link to {other}")
                if len(page.lines) > README_LINES:
                    self.fault(name, len(page.lines), f"has more than {README_LINES} lines, move details to a page")
            self.check_commands(name, page)
            for line, text in page.prose:
                if len(text) > PROSE_COLUMNS and not text.lstrip().startswith("|"):
                    self.fault(name, line, f"has {len(text)} characters, at most {PROSE_COLUMNS} are allowed")
        for name in sorted(self.files - self.pages.keys()):
            # Skip files with faults as examples, and recorded output of the program, whose source is checked.
            if name not in ("tools/documents.py", "tests/integration/documents.rs") and not name.startswith("fixtures/"):
                self.check_mentions(name)
        return self.faults


def resolved(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            return ".."
    return str(PurePosixPath(*parts))


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    faults = Repository(root).check()
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
