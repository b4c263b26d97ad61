"""Links of the site where it meets the repository: a hook of mkdocs, named in mkdocs.yml.

The same files are read on GitHub and on the site. There, README.md is the first page, some other files of the
repository's folder are pages too, pictures outside of docs/ come along, and whatever else a page links to is shown on
the repository's own site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
"""Files outside of docs/ that are pages, and their names among the pages."""

PICTURES = "Resources"
_LINK = re.compile(r"(?<=\]\()(?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?(?=\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages and pictures outside of docs/ added to those inside."""
    from mkdocs.structure.files import File

    root = Path(config.config_file_path).parent
    for name, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(root / name)))
    for picture in sorted((root / PICTURES).rglob("*.*")):
        name = picture.relative_to(root).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page's text with its links as the site needs them; one that leads nowhere stays, for mkdocs to name it."""
    root = Path(config.config_file_path).parent
    source = page.file.src_uri
    home = next((name for name, made in PAGES.items() if made == source), f"docs/{source}")

    def turned(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(home), link["path"]))
        on_site = PAGES.get(target, target.removeprefix("docs/"))
        anchor = link["anchor"] or ""
        file = files.get_file_from_path(on_site)
        if file is not None and not file.inclusion.is_excluded():
            return posixpath.relpath(on_site, posixpath.dirname(source) or ".") + anchor
        if (root / target).exists() and not target.startswith(".."):
            kind = "tree" if (root / target).is_dir() else "blob"
            return f"{config.repo_url.rstrip('/')}/{kind}/main/{target}{anchor}"
        return link[0]

    return _LINK.sub(turned, markdown)
