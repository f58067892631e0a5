# ===- check_page.py - Opens pages of vit-run report in a browser ----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_page.py PAGE...
   python3 check_page.py --within MILLISECONDS PAGE

Opens each page in a headless Chromium, light, dark and narrow: there is no message
on the console and no request, every figure has marks, the numbers shown are those of
the data, the page is not wider than the screen, and keys reach what a pointer does.
--within: the page is ready so soon after it is opened (the best of three).
VIT_SCREENSHOTS names a folder for pictures of what was seen."""

import json
import os
import re
import sys

import browser

FIGURES = """[...document.querySelectorAll('main figure h3')].map(title => {
  const figure = title.parentElement, svg = figure.querySelector('svg');
  const shapes = svg ? [...svg.querySelectorAll('.mark, .curve, circle')].filter(one => one.getBBox().width + one.getBBox().height > 0) : [];
  return [title.textContent, shapes.length, svg ? svg.getBoundingClientRect().width : 0]; })"""

# The cells of the table below a figure, by the figure's title.
CELLS = """[...document.querySelectorAll('main figure')].filter(one => one.querySelector('h3') && one.querySelector('table'))
  .map(one => [one.querySelector('h3').textContent, [...one.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))])"""


def require(condition, *what):
    if not condition:
        sys.exit("error: " + " ".join(str(one) for one in what))


def check_quiet(chromium, page):
    require(not chromium.problems, page, "console:", chromium.problems)
    loaded = [one for one in chromium.requests if not one.startswith("data:") and one != "file://" + os.path.abspath(page)]
    require(not loaded, page, "requests", loaded)


def check_figures(chromium, page, width):
    figures = chromium.evaluate(FIGURES)
    require(len(figures) > 0, page, "has no figures")
    for title, shapes, wide in figures:
        require(shapes > 0 and 0 < wide <= width, page, title, "has", shapes, "marks in", wide, "pixels")
    require(chromium.evaluate("document.scrollingElement.scrollWidth") <= width, page, "is wider than", width)
    return [figure[0] for figure in figures]


def check_numbers(chromium, data):
    """The tables have all values: sums over their rows are those of the data."""
    cells = dict(chromium.evaluate(CELLS))
    model = data["model"]
    rows = cells["Time per op"]
    ops = [op for op in model["bench"]["ops"] if op["kernel"] != "copy" or op["name"] not in ["upload", "download"]]
    require(sum(int(row[1]) for row in rows) == len(ops), "launches", rows)
    total = sum(op["median_ms"] for op in ops)
    require(abs(sum(float(row[2].replace(",", "")) for row in rows) / total - 1) < 0.02, "times", rows, total)
    require(sum(int(row[6].replace(",", "")) for row in rows) == sum(op["bytes"] for op in ops), "bytes")
    require(len(cells["Memory over time"]) == len(model["plan"]["buffers"]), "buffers")
    count = 0
    for parameter in model["parameters"]:
        size = 1
        for one in parameter["dims"]:
            size *= one
        count += size
    require(sum(int(row[2].replace(",", "")) for row in cells["Parameters"]) == count, "parameters", count)


def check_keys(chromium, page):
    """The arrow keys move through every figure; each mark is announced."""
    for index in range(chromium.evaluate("document.querySelectorAll('main figure svg').length")):
        svg = "document.querySelectorAll('main figure svg')[%d]" % index
        text = svg + ".closest('figure').querySelector('.readout').textContent"
        chromium.evaluate(svg + ".focus()")
        before = chromium.evaluate(text)
        chromium.key("ArrowRight")
        first = chromium.evaluate(text)
        require(first and first != before, page, "figure", index, "does not answer to a key:", first)
        chromium.key("End")
        require(chromium.evaluate(text), page, "figure", index)


# Of the drawn graph: the first line of each box, what its lines connect, what it reads without a line.
DRAWN = """(() => { const svg = document.querySelector('main figure svg');
  const lines = [...svg.querySelectorAll('.edge')].map(one => one.__data__).filter(one => one).map(one => [one.from, one.to]);
  const texts = [...svg.querySelectorAll('text')], boxes = texts.filter(one => /^#\\d/.test(one.textContent)).map(one => one.textContent);
  const notes = texts.filter(one => one.textContent.startsWith('\u21b7')).map(one => one.textContent);
  const wide = svg.getBoundingClientRect();
  const outside = texts.filter(one => one.getBoundingClientRect().right > wide.right).map(one => one.textContent);
  return {boxes, lines, notes, outside, nodes: svg.querySelectorAll('.node').length}; })()"""
# The same of the tables: number, op and "#3, #7 \u21b7" of each row.
LISTED = """[...document.querySelectorAll('table.graph tbody tr')].map(row => [0, 1, 6].map(at => row.cells[at].textContent))"""


def find_reads(commands, listed):
    """What rows read of earlier rows, by their numbers: (row, reader). A launch of a folded layer, which
    has no row, is that of the same op before it that has one."""
    def look(index):
        return re.sub(r"\.\d+(?=\.|$)", "", commands[index]["name"]), commands[index].get("kernel")

    rows = {int(number): row for row, (number, _, _) in enumerate(listed)}
    reads = set()
    for row, (_, _, sources) in enumerate(listed):
        for source in map(int, re.findall(r"#(\d+)", sources)):
            shown = max(index for index in rows if index <= source and look(index) == look(source))
            if rows[shown] < row:
                reads.add((rows[shown], row))
    return reads


def check_graph(chromium, page, commands):
    """Each row of the table is a box, in its place, and each value that it reads a line or a note."""
    drawn, listed = chromium.evaluate(DRAWN), chromium.evaluate(LISTED)
    require(drawn["nodes"] == len(drawn["boxes"]) == len(listed) > 0, page, "boxes", drawn["nodes"], "of", len(listed))
    for box, (number, op, _) in zip(drawn["boxes"], listed):
        shown, name = box.split(" ", 1)
        require(shown == "#" + number and op.endswith(name.lstrip("\u2026")), page, "box", box, "for", number, op)
    reads, lines = find_reads(commands, listed), set(map(tuple, drawn["lines"]))
    require(len(lines) == len(drawn["lines"]) > 0 and lines <= reads, page, "lines", lines - reads)
    noted = sum(note.count("#") for note in drawn["notes"])
    require(len(lines) + noted == len(reads), page, "has", len(lines), "lines and", noted, "notes for", len(reads), "reads")
    require(not drawn["outside"], page, "text beside the drawing:", drawn["outside"])


def check_texts(chromium, page, hasTexts, opener):
    """The dialog with the texts of an op is open; Escape closes it."""
    shown = chromium.evaluate("document.querySelector('dialog[open]') && document.querySelector('dialog[open]').textContent")
    require(shown, page, opener, "opens nothing")
    require((" = vit." in shown) == hasTexts, page, "the texts of an op:", shown[:300])
    chromium.key("Escape")
    require(not chromium.evaluate("document.querySelector('dialog')"), page, "the texts do not close")


def check_op(chromium, page, hasTexts):
    """A press on a box of the graph, and on an op of its table, opens the texts; so does Enter."""
    place = chromium.evaluate("""(() => { const box = document.querySelector('.node'); box.scrollIntoView({block: 'center'});
        const {x, y, width, height} = box.getBoundingClientRect(); return [x + width / 3, y + height / 3]; })()""")
    for kind in ["mousePressed", "mouseReleased"]:
        chromium.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)
    check_texts(chromium, page, hasTexts, "a press on a box")
    chromium.evaluate("document.querySelector('main figure svg').focus()")
    chromium.key("Home")
    chromium.key("ArrowDown")
    require(chromium.evaluate("document.querySelectorAll('.edge.current').length") > 0, page, "no line of a box is marked")
    chromium.key("Enter")
    check_texts(chromium, page, hasTexts, "Enter on a box")
    chromium.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    chromium.evaluate("document.querySelector('table.graph button').focus()")
    chromium.key("Enter")
    check_texts(chromium, page, hasTexts, "an op")


def check(chromium, page):
    with open(page, encoding="utf-8") as file:
        data = json.loads(file.read().split('id="data">', 1)[1].split("</script>", 1)[0])
    titles = []
    for name, width, scheme in [("light", 1200, "light"), ("dark", 1200, "dark"), ("narrow", 360, "light")]:
        chromium.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        chromium.open(page, width)
        titles = check_figures(chromium, page, width)
        channel = int(chromium.evaluate("getComputedStyle(document.body).backgroundColor").split("(")[1].split(",")[0])
        require((channel < 128) == (scheme == "dark"), page, name, "has the background", channel)
        require(chromium.evaluate("typeof hacked") == "undefined", page, "ran code of its data")
        if os.environ.get("VIT_SCREENSHOTS"):
            chromium.screenshot(os.path.join(os.environ["VIT_SCREENSHOTS"], os.path.basename(page) + "-" + name + ".png"))
        check_keys(chromium, page)
        if data["model"]:
            check_numbers(chromium, data)
            check_graph(chromium, page, [one for one in data["model"]["schedule"]["commands"] if one["kind"] != "Barrier"])
            check_op(chromium, page, "passes" in data["model"])
        images = "[...document.images].map(one => one.complete && one.naturalWidth > 0)"
        require(all(chromium.evaluate(images)), page, "has a picture that is not shown")
        check_quiet(chromium, page)
    print("%s: %s" % (os.path.basename(page), ", ".join(titles)))


def main(arguments):
    with browser.Browser() as chromium:
        if arguments[0] == "--within":
            best = min(chromium.open(arguments[2]) for _ in range(3))
            check_quiet(chromium, arguments[2])
            require(best <= float(arguments[1]), arguments[2], "is ready after", best, "ms")
            print("ready in time")
            return
        for page in arguments:
            check(chromium, page)


main(sys.argv[1:])
