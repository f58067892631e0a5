# ===- check_site.py - Checks the site of the documentation ----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_site.py SITE MKDOCS_YML
   python3 check_site.py --search SITE QUERY PAGE...

Every page of the navigation exists and every page of docs/ is in it, every link of every page leads to a file of the site and to an
anchor of it, and no page loads anything from another host. --search: opens the site from the disk
in a headless Chromium, light, dark and narrow; each PAGE is among the results of a search for
QUERY, and nothing is requested that is not a file of the site. VIT_SCREENSHOTS names a folder for
pictures of what was seen."""

import glob
import html.parser
import os
import re
import sys
import urllib.parse

# Attributes that load what they name.
LOADING = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.anchors, self.links = set(), []
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            if name in ("href", "src") and value is not None:
                self.links.append((tag, name, value))


def find_pages(site):
    return {os.path.realpath(os.path.join(folder, name)) for folder, _, names in os.walk(site)
            for name in names if name.endswith(".html")}


def check_link(path, link, pages):
    """What is wrong with a link of the page at `path`, or None."""
    tag, name, value = link
    url = urllib.parse.urlsplit(value)
    if url.scheme in ("http", "https") or url.netloc:
        return "loads from another host" if (tag, name) in LOADING else None
    if url.scheme in ("mailto", "data", "javascript"):
        return None
    target = os.path.realpath(os.path.join(os.path.dirname(path), urllib.parse.unquote(url.path))) if url.path else path
    if os.path.isdir(target):
        target = os.path.join(target, "index.html")
    if not os.path.exists(target):
        return "leads to no file"
    anchor = urllib.parse.unquote(url.fragment)
    # Material's own: an anchor of scripts.
    if anchor and target in pages and anchor not in pages[target].anchors and not anchor.startswith("__"):
        return "leads to no anchor"
    return None


def check(site, config):
    pages = {path: Page(path) for path in find_pages(site)}
    problems = []
    with open(config, encoding="utf-8") as file:
        names = re.findall(r"^ *- .*: (\S+)\.md$", file.read().partition("\nnav:\n")[2], re.M)
    for name in names:
        target = "index.html" if name == "README" else re.sub(r"README$", "index", name) + ".html"
        if os.path.realpath(os.path.join(site, target)) not in pages:
            problems.append("%s: %s is not there" % (config, target))
    home = {link[2] for link in pages[os.path.realpath(os.path.join(site, "index.html"))].links}
    docs = os.path.join(os.path.dirname(config), "docs")
    for path in glob.glob(docs + "/**/*.md", recursive=True):
        page = os.path.relpath(path[:-3], os.path.dirname(config)) + ".html"
        if not path.startswith(docs + "/site/") and page not in home:
            problems.append("index.html: the navigation lacks %s" % page)
    count = 0
    for path in sorted(pages):
        if os.path.basename(path) == "404.html":
            continue  # Its links are absolute: no page of a disk shows it.
        for link in pages[path].links:
            count += 1
            problem = check_link(path, link, pages)
            if problem:
                problems.append("%s: %s %s" % (os.path.relpath(path, site), link[2], problem))
    if problems:
        sys.exit("%s\nerror: %d problems" % ("\n".join(problems[:40]), len(problems)))
    print("%d pages of the navigation, %d links" % (len(names), count))


RESULTS = "[...document.querySelectorAll('.md-search-result__link')].map(one => one.href)"


def wait_for(chromium, code, what):
    """The value of `code` in the page once it is true."""
    answer = chromium.evaluate("""new Promise(done => { const start = performance.now();
      const look = () => { const value = %s; value && value.length || performance.now() - start > 20000 ? done(value) : setTimeout(look, 20); };
      look(); })""" % code)
    if not answer:
        sys.exit("error: %s" % what)
    return answer


def search(site, query, wanted):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../tools/Inputs"))
    import browser

    home = "file://" + urllib.parse.quote(os.path.realpath(site))
    with browser.Browser() as chromium:
        for name, width, scheme in [("light", 1200, "light"), ("dark", 1200, "dark"), ("narrow", 360, "light")]:
            chromium.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            chromium.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
            chromium.call("Page.navigate", url=home + "/index.html")
            wait_for(chromium, "document.readyState == 'complete' ? 'x' : ''", "the page does not load")
            if os.environ.get("VIT_SCREENSHOTS"):
                chromium.screenshot(os.path.join(os.environ["VIT_SCREENSHOTS"], "site-%s.png" % name))
            # A press on the magnifier (narrow) or the field, then the text.
            chromium.call("Emulation.setFocusEmulationEnabled", enabled=True)
            chromium.evaluate("document.querySelector('[data-md-toggle=search]').click()")
            chromium.evaluate("document.querySelector('.md-search__input').focus()")
            chromium.call("Input.insertText", text=query)
            chromium.key("Shift")
            found = wait_for(chromium, RESULTS, "no result of %r in %s: %s" % (query, name, chromium.problems))
            for page in wanted:
                if not any(one.split("?")[0].split("#")[0] == home + "/" + page for one in found):
                    sys.exit("error: %r does not find %s: %s" % (query, page, found))
        others = [url for url in chromium.requests if not url.startswith((home, "data:", "about:"))]
        if others or chromium.problems:
            sys.exit("error: requests %s, console %s" % (others, chromium.problems))
    print("found %s" % ", ".join(wanted))


if sys.argv[1] == "--search":
    search(sys.argv[2], sys.argv[3], sys.argv[4:])
else:
    check(sys.argv[1], sys.argv[2])
