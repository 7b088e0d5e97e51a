"""Looks at a report's pages in a browser, at two widths, light and dark: nothing overlaps, overflows or is asked for.

    python3 page_test.py PROGRAM [--keep FOLDER]

PROGRAM writes the pages into the folder TENON_PAGES; with --keep they and the screenshots stay there. Exits with 77 where
there is no Chromium (Debian: chromium).
"""
import base64
import html.parser
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

KEEP = pathlib.Path(sys.argv.pop(sys.argv.index("--keep") + 1)) if "--keep" in sys.argv else None
if KEEP:
    sys.argv.remove("--keep")
PROGRAM = sys.argv.pop(1)
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDE, NARROW = 1280, 500  # a headless window is no narrower
PAGES = ("full", "many", "training")

# Runs in the page: rectangles of what should be beside or below each other, and what reaches out of what contains it.
MEASURE = """
const problems = [], area = 3;
const name = e => e.tagName + '.' + (e.getAttribute('class') || '') + ' "' + e.textContent.trim().slice(0, 30) + '"';
const visible = r => r.width > 0 && r.height > 0;
const overlap = (a, b) => Math.min(Math.min(a.right, b.right) - Math.max(a.left, b.left),
                                   Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
const apart = (elements, what) => {
  const boxes = elements.map(e => [e, e.getBoundingClientRect()]).filter(b => visible(b[1]));
  for (let i = 0; i < boxes.length; ++i)
    for (let j = i + 1; j < boxes.length; ++j)
      if (overlap(boxes[i][1], boxes[j][1]) > area)
        problems.push(what + ' overlap: ' + name(boxes[i][0]) + ' and ' + name(boxes[j][0]));
};
const within = (inner, outer, what) => {
  const a = inner.getBoundingClientRect(), b = outer.getBoundingClientRect();
  if (visible(a) && (a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1))
    problems.push(what + ' reaches out: ' + name(inner));
};
const root = document.scrollingElement;
if (root.scrollWidth > innerWidth) problems.push('the page is ' + root.scrollWidth + ' pixels wide in ' + innerWidth);
for (const group of document.querySelectorAll('main, section, .tiles, .row, .mistakes, .pictures'))
  apart([...group.children], 'parts');
for (const row of document.querySelectorAll('tr')) apart([...row.cells], 'cells');
for (const section of document.querySelectorAll('section, .tile'))
  for (const inner of section.querySelectorAll('h2, p, b, span, td, th, pre, figure, .picture'))
    within(inner, section, 'a part');
for (const cell of document.querySelectorAll('td, th, .tile, pre'))
  if (cell.scrollWidth > cell.clientWidth + 1) problems.push('text reaches out of ' + name(cell));
for (const svg of document.querySelectorAll('svg')) {
  const texts = [...svg.querySelectorAll('text')];
  for (const text of texts) within(text, svg, 'a text of a figure');
  apart(texts.filter(t => !t.hasAttribute('transform')), 'texts');
  if (texts.some(t => getComputedStyle(t).userSelect === 'none')) problems.push('texts cannot be selected');
}
const broken = [...document.images].filter(i => !i.complete || !i.naturalWidth);
if (broken.length) problems.push(broken.length + ' broken images');
const result = {problems, width: innerWidth, height: root.scrollHeight, texts: document.querySelectorAll('text').length,
  asked: performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith('data:')),
  background: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color};
document.documentElement.textContent = 'MEASURED' + JSON.stringify(result) + 'END';
"""


class Addresses(html.parser.HTMLParser):
    """The addresses that a page's elements and styles have."""

    def __init__(self, page):
        super().__init__()
        self.all, self.scripts, self.events = [], 0, []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"
        for key, value in attrs:
            if key in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
                self.all.append(value)
            if key.startswith("on"):
                self.events.append(key)


def browse(folder, *arguments):
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-extensions",
         "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}/profile", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=120, check=False)
    return done.stdout


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = KEEP or pathlib.Path(cls.temporary.name)
        subprocess.run([PROGRAM, "--test-case=pages to look at"], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "TENON_PAGES": str(cls.folder)})

    def page(self, name):
        return (self.folder / f"{name}.html").read_text(encoding="utf-8")

    def measure(self, page, width, dark=False):
        """What MEASURE finds on a page, which may run this one script and ask for what it likes."""
        page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
        path = self.folder / "measured.html"
        path.write_text(page.replace("</body>", f"<script>onload = () => {{{MEASURE}}}</script></body>"), encoding="utf-8")
        text = browse(self.folder, f"--window-size={width},900", f"--blink-settings=preferredColorScheme={0 if dark else 1}",
                      "--virtual-time-budget=2000", "--dump-dom", path.as_uri())
        found = re.search(r"MEASURED(.*)END", text, re.DOTALL)
        self.assertTrue(found, text[:2000])
        return json.loads(html.unescape(found[1]))

    def test_nothing_overlaps_or_overflows(self):
        for name in PAGES:
            for width in (WIDE, NARROW):
                with self.subTest(page=name, width=width):
                    found = self.measure(self.page(name), width)
                    self.assertEqual(found["problems"], [])
                    self.assertEqual(found["asked"], [])
                    self.assertEqual(found["width"], width)
                    self.assertGreater(found["texts"], 10)

    def test_it_is_dark_where_the_user_likes_that(self):
        light, dark = (self.measure(self.page("full"), WIDE, dark=dark) for dark in (False, True))
        brightness = lambda color: sum(map(int, re.findall(r"\d+", color)[:3]))
        self.assertGreater(brightness(light["background"]), 600)
        self.assertLess(brightness(dark["background"]), 200)
        self.assertLess(brightness(light["ink"]), 200)
        self.assertGreater(brightness(dark["ink"]), 600)

    def test_no_request_leaves_the_page(self):
        for name in PAGES:
            addresses = Addresses(self.page(name))
            self.assertEqual([a for a in addresses.all if not a.startswith("data:image/png;base64,")], [])
            self.assertEqual((addresses.scripts, addresses.events), (0, []))
            self.assertNotRegex(self.page(name), r"url\(|@import")
        self.assertEqual(self.requests(self.page("full")), [])

    def requests(self, page):
        """What the browser asks for on behalf of a page, beside the page."""
        path, log = self.folder / "asked.html", self.folder / "network.json"
        path.write_text(page, encoding="utf-8")
        browse(self.folder, f"--log-net-log={log}", "--virtual-time-budget=2000", "--dump-dom", path.as_uri())
        text = log.read_text()
        try:
            content = json.loads(text)
        except json.JSONDecodeError:  # the browser ended before the end of its log
            content = json.loads(text.rstrip().rstrip(",") + "]}")
        parameters = [event.get("params", {}) for event in content["events"]]
        # What the browser asks for itself has no origin.
        return sorted({p["url"] for p in parameters if p.get("initiator", "not an origin") != "not an origin"
                       and p.get("url", "").startswith(("http", "ws", "ftp"))})

    def test_what_is_wrong_is_seen(self):
        page = self.page("training")
        bad = page.replace("</main>", '<img alt="" src="http://example.invalid/x.png"><p style="width:3000px;max-width:none">'
                           'wide</p><div class="row"><div style="margin-right:-40px">one two three</div><div>four</div></div>'
                           '</main>')
        found = self.measure(bad, WIDE)
        text = "\n".join(found["problems"])
        for problem in ("pixels wide in 1280", "parts overlap", "1 broken images"):
            self.assertIn(problem, text)
        self.assertEqual(found["asked"], ["http://example.invalid/x.png"])
        without_policy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", bad)
        self.assertEqual(self.requests(without_policy), ["http://example.invalid/x.png"])

    def test_screenshots(self):
        for width, scheme in ((WIDE, 1), (NARROW, 1), (WIDE, 0)):
            picture = self.folder / f"full_{width}_{'light' if scheme else 'dark'}.png"
            height = self.measure(self.page("full"), width)["height"]
            browse(self.folder, f"--window-size={width},{height}", f"--blink-settings=preferredColorScheme={scheme}",
                   f"--screenshot={picture}", (self.folder / "full.html").as_uri())
            content = picture.read_bytes()
            self.assertEqual(struct.unpack(">II", content[16:24]), (width, height))
            self.assertGreater(len(content), 50_000)

    def test_images_are_complete_png_files(self):
        images = {address for address in Addresses(self.page("full")).all}
        self.assertEqual(len(images), 3)  # a gray photo, one in colors, and a map
        for address in images:
            content = base64.b64decode(address.removeprefix("data:image/png;base64,"), validate=True)
            self.assertEqual(content[:8], b"\x89PNG\r\n\x1a\n")
            at, chunks = 8, {}
            while at < len(content):
                size, kind = struct.unpack(">I4s", content[at:at + 8])
                body = content[at + 8:at + 8 + size]
                self.assertEqual(struct.unpack(">I", content[at + 8 + size:at + 12 + size])[0], zlib.crc32(kind + body))
                chunks[kind] = body
                at += 12 + size
            width, height, bits, color = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
            self.assertEqual(bits, 8)
            self.assertEqual(len(zlib.decompress(chunks[b"IDAT"])), height * (1 + width * (3 if color == 2 else 1)))


if __name__ == "__main__":
    if BROWSER is None:
        print("SKIPPED: there is no Chromium (Debian: chromium), so no browser looked at the reports.", file=sys.stderr)
        sys.exit(77)
    unittest.main()
