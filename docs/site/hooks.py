# ===- hooks.py - The pages of the documentation's site --------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Hooks of MkDocs (mkdocs.yml). Pages have the paths that they have in the repository, so that
links between them are the same there and on the site: docs/*.md and the READMEs of other folders.
A file of the repository that a page links to becomes a page that shows its text. The reference is
generated: of the dialects and passes by mlir-tblgen into VIT_DOCS_REFERENCE, of the C API by
MkDoxy, of the Python API by mkdocstrings. Where a page of docs/ first names a function, an op or a
pass in code, the name becomes a link to the reference."""

import os
import posixpath
import re

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
REFERENCE = os.environ.get("VIT_DOCS_REFERENCE", os.path.join(ROOT, "build/release/docs"))
# Pages outside docs/.
READMES = ["README.md", "bench/README.md", "examples/README.md", "models/README.md", "test/data/demo/README.md",
           "test/simulator/README.md"]
# What is not a page, by its name on the site.
ASSETS = {"assets/iframe-worker.js": "iframe-worker.js", "assets/site.css": "site.css"}
# A link of Markdown to a path of the repository.
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
LANGUAGES = {".h": "c", ".c": "c", ".hpp": "cpp", ".cpp": "cpp", ".py": "python", ".mlir": "mlir", ".fbs": "text", ".yml": "yaml"}


def page_names():
    """The pages of the repository."""
    names = list(READMES)
    for folder, inner, files in os.walk(os.path.join(ROOT, "docs")):
        if "site" in inner:
            inner.remove("site")
        names += [os.path.relpath(os.path.join(folder, name), ROOT) for name in files if name.endswith(".md")]
    return sorted(names)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


ITEM = re.compile(r"([-*]|\d+\.) ")


def format_lists(text):
    """Lists as Python-Markdown wants them, which GitHub and MLIR do not need: an empty line between a
    paragraph and a list below it, and four spaces before what belongs to an item, in place of two."""
    lines, fence, in_list = [], None, False  # fence: what is before the one that a block of code began with.
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        is_fence = line.lstrip().startswith(("```", "~~~"))
        if fence is None:
            is_item = bool(ITEM.match(line))
            if is_item and lines and lines[-1].strip() and not re.match(ITEM.pattern + r"|\s|\|", lines[-1]):
                lines.append("")
            in_list = is_item or (in_list and (not line or bool(indent)))
        more = indent if fence is None else fence
        lines.append(more + line if in_list and line else line)
        if is_fence:
            fence = indent if fence is None else None
    return "\n".join(lines)


def target_of(page, link):
    """The path that `link` of `page` means in the repository, and in the site's names."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
    full = os.path.join(ROOT, path)
    if os.path.isdir(full) and os.path.exists(full + "/README.md"):
        return path + "/README.md"
    return path + ".md" if os.path.isfile(full) and not path.endswith(".md") else path


def link_pages(page, text):
    def replace(match):
        target = posixpath.relpath(target_of(page, match[1]), posixpath.dirname(page) or ".")
        return target + (match[2] or "")

    return LINK.sub(replace, text)


def show_source(path):
    """A page with the text of a file."""
    language = LANGUAGES.get(os.path.splitext(path)[1], "text")
    return "---\ntitle: %s\nsearch: {exclude: true}\n---\n\n# `%s`\n\n~~~~~~ %s\n%s\n~~~~~~\n" % (
        path, path, language, read(os.path.join(ROOT, path)).rstrip("\n"))


def read_reference(name):
    """What mlir-tblgen wrote. Headings of operands and results are left out of the contents."""
    text = read(os.path.join(REFERENCE, name)).replace("[TOC]\n", "")
    if name == "passes.md":
        text = re.sub(r"^#(#+ )", r"\1", text, flags=re.M)
        return "# Passes\n\n`vit-opt FILE --vit-PASS` runs one, with its options as `--vit-PASS=\"OPTION=VALUE ...\"`.\n\n" + text
    text = re.sub(r"^(### `.*`) \([\w:]+\)$", r"\1", text, flags=re.M)
    return re.sub(r"^#### (\w+):$", r"**\1**", text, flags=re.M)


def find_names():
    """What the reference describes: the page and anchor of each name."""
    places = {}
    for header in ["vit", "vit-data"]:
        for name in re.findall(r"\b(vit_\w+)\(", read(os.path.join(ROOT, "runtime/include/vit", header + ".h"))):
            places[name] = "reference/c/%s_8h.md#function-%s" % (header, name)
    for page in ["vit-dialect", "kernel-dialect"]:
        for name in re.findall(r"^### `([\w.]+)`", read_reference(page + ".md"), re.M):
            places[name] = "reference/%s.md#%s" % (page, name.replace(".", ""))
    for name in re.findall(r"^## `-([\w-]+)`", read_reference("passes.md"), re.M):
        places[name] = "reference/passes.md#-" + name
    return places


def link_names(page, text, places):
    """The first mention of each name, as `name` alone, outside of blocks of code, headings and other links."""
    seen, in_code = set(), False

    def replace(match):
        name = match[1]
        if name not in places or name in seen:
            return match[0]
        seen.add(name)
        return "[`%s`](%s)" % (name, posixpath.relpath(places[name], posixpath.dirname(page)))

    lines = []
    for line in text.split("\n"):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        if not in_code and not line.startswith("#"):
            line = re.sub(r"(?<!\[)`([\w.-]+)`(?!\])", replace, line)
        lines.append(line)
    return "\n".join(lines)


def on_config(config):
    """A page of docs/ without a line in `nav` is the last of the guides."""
    listed = str(config.nav)
    guides = next(section["Guides"] for section in config.nav if "Guides" in section)
    guides += [name for name in page_names() if name.startswith("docs/") and repr(name) not in listed]
    return config


@event_priority(100)
def on_files(files, config):
    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
    names, places = page_names(), find_names()
    sources = set()
    for name in names:
        text = read(os.path.join(ROOT, name))
        targets = {target_of(name, match[1]) for match in LINK.finditer(text)}
        sources |= {target for target in targets if target not in names and os.path.isfile(os.path.join(ROOT, target[:-3]))}
        text = format_lists(link_pages(name, text))
        if name.startswith("docs/"):
            text = link_names(name, text, places)
        files.append(File.generated(config, name, content=text))
    for source in sorted(sources):
        files.append(File.generated(config, source, content=show_source(source[:-3])))
    for name in ["vit-dialect.md", "kernel-dialect.md", "passes.md"]:
        files.append(File.generated(config, "reference/" + name, content=format_lists(read_reference(name))))
    here = os.path.dirname(os.path.realpath(__file__))
    files.append(File.generated(config, "reference/python.md", content=read(here + "/python-api.md")))
    for name, source in ASSETS.items():
        files.append(File.generated(config, name, abs_src_path=os.path.join(here, source)))
    return files
