"""A run on one page: what it tells, that it is one, and how a browser shows it."""

import hashlib
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import BROWSER, DRIVER, browser
from small_configs import PUMP, changed, swept

import trajsim
from trajsim.config import parse
from trajsim.report import report

pytestmark = pytest.mark.usefixtures("quick_histograms")

HOSTILE = "</title></h1><script>alert(1)</script><img src=http://x.invalid/a.png onerror=alert(2)>"
EVIL = changed(
    PUMP,
    ('title = "two driven spins"', f"title = '''{HOSTILE} $x_'''\n# --> ]]> </code></pre><script>"),
    ("trajectories = 60", "trajectories = 2000"),
    ("rows_per_period = 1", "rows_per_period = 2"),
    ("\nperiods = 8", "\nperiods = 2"),
)
SWEEP = swept(PUMP, '"sites.2.drive.phase" = [0.0, 2.2, 3.0]')
VOID = {"meta", "link", "img", "wbr"}


class Page(HTMLParser):
    """Tags of a page with their attributes, and its text; nesting is checked."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def runs():
    return {"evil": trajsim.simulate(parse(EVIL)), "sweep": trajsim.simulate(parse(SWEEP))}


@pytest.fixture(scope="module")
def pages(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    return {name: run.report(folder / f"{name}.html") for name, run in runs.items()}


@pytest.fixture(params=["evil", "sweep"])
def page(request, pages):
    return Page(pages[request.param].read_text(encoding="utf-8"))


# -- one page -----------------------------------------------------------------------------------


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(page):
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "iframe", "object", "embed", "form", "base", "svg", "video"}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style", tag
            if name in ("src", "href", "srcset", "action", "data", "poster"):
                assert value.startswith(("data:", "#")), (tag, name, value[:80])
    assert page.tags.count(("img", {})) == 0


def test_the_policy_allows_the_style_and_pictures_of_the_page_alone(pages):
    text = pages["evil"].read_text(encoding="utf-8")
    (policy,) = [m["content"] for m in Page(text).all("meta") if "http-equiv" in m]
    style = text.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_texts_of_others_are_shown_as_they_are(pages):
    page = Page(pages["evil"].read_text(encoding="utf-8"))
    assert page.text.count(HOSTILE) >= 3  # title, heading, config
    assert "# --> ]]> </code></pre><script>" in page.text


def test_the_page_is_made_of_what_screen_readers_know(page):
    (html,) = page.all("html")
    assert html["lang"] == "en"
    assert [len(page.all(tag)) for tag in ("title", "h1", "main", "header", "footer", "nav")] == [
        1
    ] * 6
    assert all(len(image["alt"]) > 30 for image in page.all("img"))
    assert len(page.all("figure")) == len(page.all("figcaption")) == len(page.all("img")) > 0
    assert len(page.all("caption")) == len(page.all("table"))
    anchors = {a["id"] for _, a in page.tags if "id" in a}
    assert {a["href"][1:] for a in page.all("a")} <= anchors
    assert all("scope" in a for a in page.all("th"))


def test_the_same_run_makes_the_same_page(runs):
    run = runs["sweep"]
    assert report(run, run.config) == report(run, run.config)


# -- what it tells --------------------------------------------------------------------------------


def test_averages_are_those_of_the_check(runs, pages):
    text = Page(pages["evil"].read_text(encoding="utf-8")).text
    check = runs["evil"].check()
    for q in check.points[0].quantities:
        sigma = "too few" if q.sigma is None else f"{q.sigma:+.2f}"
        # The first law is no mean: it has a rounding that is allowed, and no standard error.
        error = "" if q.name == "first_law" else f" {q.stderr:.1e}"
        row = f"{q.name} {q.sampled:.5e}{error} {q.exact:.5e} {sigma}"
        assert row in text
    assert f"{len(check.judged)} quantities" in text
    assert ("Sampled agrees with exact" in text) == check.agrees


def test_all_points_of_a_sweep_are_there(runs, pages):
    page = Page(pages["sweep"].read_text(encoding="utf-8"))
    assert len(page.all("details")) >= 3
    for a in runs["sweep"].averages():
        heat = a.of("heat")["R"]
        assert f"{heat.mean:.4e} ± {heat.stderr:.1e}" in page.text


def test_theorems_are_told_with_the_reason_where_they_do_not_apply(runs, pages):
    text = Page(pages["evil"].read_text(encoding="utf-8")).text
    (outcomes,) = runs["evil"].theorems()
    for outcome in outcomes:
        assert outcome.name in text
        assert outcome.refusal is None or outcome.refusal in text


def test_config_seed_and_command_are_there(config, cli, tmp_path):
    config(SWEEP)
    value = ("--set", "drive.period=12.0", "--set", "ensemble.seed=3")
    assert cli("run", "config.toml", "-o", "x.h5", *value).exit_code == 0
    result = cli("report", "x.h5")
    assert result.stdout == "x.html\n"
    text = Page(Path("x.html").read_text(encoding="utf-8")).text
    assert " ".join(SWEEP.split()) in text
    assert "drive.period 10.0 12.0" in text
    made = "trajsim run config.toml -o x.h5 --set drive.period=12.0 --set ensemble.seed=3"
    assert made in text
    checksums = trajsim.open("x.h5").checksums
    assert all(digest in text for digest in checksums.values())
    assert cli("report", "x.h5", "-o", tmp_path).exit_code == 2
    assert cli("report", "nothing.h5").exit_code == 2


# -- in a browser -------------------------------------------------------------------------------

needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="needs chromium and chromedriver on PATH"
)

# The smallest contrast of any text with what lies behind it, as of WCAG 2.
CONTRAST = """
const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const light = c => c.slice(0, 3).map(v => linear(v / 255))
  .reduce((sum, v, k) => sum + v * [.2126, .7152, .0722][k], 0);
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const behind = e => {
  for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c;
  }
  return [255, 255, 255];
};
let least = 99;
for (const e of document.body.querySelectorAll('*:not(img)')) {
  const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
  least = Math.min(least, (Math.max(a, b) + .05) / (Math.min(a, b) + .05));
}
return least;
"""


@needs_browser
def test_a_browser_shows_it_on_a_phone_and_in_the_dark(pages):
    with browser() as shown:
        shown.show(pages["sweep"], 1200)
        shown.requested()
        for path in pages.values():
            for width in (390, 1200):
                for dark in (False, True):
                    shown.show(path, width, dark)
                    # Nothing is wider than the window, but what scrolls in its box.
                    assert shown.run("return document.documentElement.scrollWidth") == width
                    assert shown.run("return getComputedStyle(document.body).maxWidth") != "none"
                    assert shown.run(CONTRAST) >= 4.5
                    back = shown.run("return getComputedStyle(document.body).backgroundColor")
                    assert (back == "rgb(255, 255, 255)") == (not dark)
                    broken = "return [...document.images].filter(i => !i.naturalWidth).length"
                    assert shown.run(broken) == 0
            assert shown.run("return document.scripts.length") == 0
        asked = {url.split(":")[0] for url in shown.requested()}
        assert asked <= {"file", "data"}
        assert shown.complaints() == []
