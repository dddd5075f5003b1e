"""The report at work in headless Chromium: filters, keyboard, colours, names, and nothing that leaves it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from records import article, evidence
from test_report import HOSTILE, gathered, hostile_rows, three_outlets

from stance.report import page

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium with its driver: apt-get install chromium chromium-driver"
)
TODAY = date(2026, 3, 20)
RTL = "שלום orcs עולם"


def rows() -> list[dict[str, Any]]:
    text = "They said the junta fell and the orcs ran."
    pieces = [
        evidence(text, "junta", "moscow", 11, voice="quoted", speaker={"text": "Ann", "side": "moscow"}),
        evidence(
            text, "orcs", "kyiv", 11, counted=False, not_counted="balanced", because="a name for soldiers"
        ),
    ]
    both = {
        "text": text,
        "frame": "moscow",
        "voice": "quoted",
        "speaker": ("Ann", "moscow"),
        "pieces": pieces,
    }
    said = article(
        "both", [{"text": "Rain fell."}, both, {"text": "Sun rose."}], outlet="South", time="2026-03-14"
    )
    rtl = article(
        "rtl", [{"text": RTL, "frame": "kyiv", "words": "orcs"}], outlet=RTL, title=RTL, time="2026-03-13"
    )
    return [*three_outlets(), *said, *rtl, *hostile_rows()]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "report.html").write_text(page.report(gathered(rows()), today=TODAY), encoding="utf-8")
    one = gathered([r for r in rows() if r["document"] == "both"])
    (folder / "one.html").write_text(page.article(one, today=TODAY), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: Any, pages: Path) -> Iterator[Any]:
    """A fresh page; whatever a test did, the console stayed quiet and no request left the file."""
    send(chromium, "Emulation.setScriptExecutionDisabled", value=False)
    emulate(chromium)
    size(chromium, 1280, 900)
    chromium.get("about:blank")
    logs(chromium)
    show(chromium, pages / "report.html")
    yield chromium
    console, requests = logs(chromium)
    assert not console, console
    assert all(url.startswith(("file:", "about:", "data:")) for url in requests), requests


def send(driver: Any, command: str, **parameters: Any) -> Any:
    return driver.execute_cdp_cmd(command, parameters)


def emulate(driver: Any, media: str = "", theme: str = "light") -> None:
    """Media and theme, and no motion: a click finds things where they are."""
    features = {"prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"}
    listed = [{"name": name, "value": value} for name, value in features.items()]
    send(driver, "Emulation.setEmulatedMedia", media=media, features=listed)


def size(driver: Any, width: int, height: int) -> None:
    send(
        driver,
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=False,
    )


def logs(driver: Any) -> tuple[list[str], list[str]]:
    """What the console says, and the addresses that were asked for, since the last look."""
    requests = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            requests.append(message["params"]["request"]["url"])
    return [entry["message"] for entry in driver.get_log("browser")], requests


def show(driver: Any, path: Path, hash_: str = "") -> None:
    driver.get("about:blank")
    driver.get(path.as_uri() + hash_)
    until(lambda: driver.execute_script("return document.documentElement.dataset.ready"))


def until(true: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


def find(driver: Any, css: str) -> Any:
    return driver.find_element(By.CSS_SELECTOR, css)


def every(driver: Any, css: str) -> list[Any]:
    return list(driver.find_elements(By.CSS_SELECTOR, css))


def count(driver: Any, wanted: str) -> None:
    try:
        until(lambda: find(driver, "#count").text.startswith(wanted))
    except AssertionError:
        raise AssertionError(f"wanted {wanted!r}, found {find(driver, '#count').text!r}") from None


def choose(driver: Any, name: str, value: str) -> None:
    driver.execute_script(
        "const f = document.querySelector(`#filters [name='${arguments[0]}']`); f.value = arguments[1];"
        "f.dispatchEvent(new Event('input', {bubbles: true}))",
        name,
        value,
    )


# -- filters ---------------------------------------------------------------------------------------------


def test_filters_narrow_the_sentences(browser: Any) -> None:
    outlets = browser.execute_script(
        "return [...document.querySelector('[name=outlet]').options].map(o => o.text)"
    )
    assert {"North", "South", "East", RTL} <= set(outlets)
    choose(browser, "label", "2")
    count(browser, "25 sentences in 25 articles")
    choose(browser, "voice", "0")
    count(browser, "12 sentences in 12 articles")
    choose(browser, "voice", "")
    choose(browser, "outlet", str(outlets.index("South") - 1))
    count(browser, "13 sentences in 13 articles")
    choose(browser, "from", "2026-03-05")
    choose(browser, "to", "2026-03-06")
    count(browser, "2 sentences in 2 articles")
    choose(browser, "text", "JUNTA fell")
    count(browser, "2 sentences")
    choose(browser, "text", "no such word")
    count(browser, "0 sentences in 0 articles. Clear a filter")
    find(browser, "#clear").click()
    count(browser, "144 sentences")


def test_typing_in_the_search_field_searches(browser: Any) -> None:
    find(browser, "[name=text]").send_keys("orcs ran")
    count(browser, "8 sentences")
    find(browser, "[name=view][value=sentences]").click()
    until(lambda: len(every(browser, "#results li .s")) == 8)
    assert all("orcs" in node.text for node in every(browser, "#results li .s"))


def test_a_figure_leads_to_its_sentences(browser: Any) -> None:
    row = next(r for r in every(browser, ".outlets .row") if r.text.startswith("North"))
    link = next(a for a in row.find_elements(By.CSS_SELECTOR, ".figures a") if a.text.startswith("Moscow"))
    link.click()
    count(browser, "12 sentences in 12 articles")
    until(lambda: len(every(browser, "#results li .s mark")) == 12)
    assert all("North" in node.text for node in every(browser, "#results .from"))
    every(browser, "#results .from a")[0].click()
    count(browser, "4 sentences in 1 article")
    until(lambda: browser.execute_script("return document.activeElement.classList.contains('s')"))


def test_which_outlet_carries_most_and_the_sentences_behind_it_stand_at_once(browser: Any) -> None:
    moscow = every(browser, "#standout .finding")[1]
    assert "Most in North: 25.0% of its sentences" in moscow.text
    assert len(moscow.find_elements(By.CSS_SELECTOR, ".quote .s")) == 3


def test_pages_of_articles(browser: Any) -> None:
    assert len(every(browser, ".art")) == 20
    browser.execute_script("document.querySelector('#pager button:last-child').click()")
    until(lambda: "page 2 of 2" in find(browser, "#pager").text)
    until(lambda: len(every(browser, ".art")) == 20)


# -- why -------------------------------------------------------------------------------------------------


def test_hover_tells_voice_speaker_rule_reason_and_what_did_not_count(browser: Any) -> None:
    find(browser, "[name=text]").send_keys("junta fell and")
    count(browser, "1 sentence in 1 article")
    find(browser, ".art button").click()
    node = until(lambda: every(browser, ".art .s.b"))[0]
    ActionChains(browser).move_to_element(node).perform()
    told = until(lambda: find(browser, "#why").text)
    for words in (
        "quotation",
        "Ann (Moscow’s side)",
        "rule-moscow",
        "because of the word",
        "Seen, but did not count",
    ):
        assert words in told
    assert "a name for soldiers" in told
    assert "outweighed by the other side's words" in told
    assert [m.text for m in node.find_elements(By.TAG_NAME, "mark")] == ["junta"]
    ActionChains(browser).move_to_element(find(browser, "h1")).perform()
    until(lambda: not find(browser, "#why").is_displayed())


def test_keyboard_alone(browser: Any) -> None:
    find(browser, "[name=text]").send_keys("junta fell and")
    count(browser, "1 sentence in 1 article")
    button = find(browser, ".art button")
    browser.execute_script("arguments[0].focus()", button)
    button.send_keys(Keys.ENTER)
    until(lambda: button.get_attribute("aria-expanded") == "true" and len(every(browser, ".art .s")) == 3)
    ActionChains(browser).send_keys(Keys.TAB).perform()
    active = browser.switch_to.active_element
    assert active.text == "Rain fell."
    until(lambda: "No rule found" in find(browser, "#why").text)
    assert active.get_attribute("aria-describedby") == "why"
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
    until(lambda: "rule-moscow" in find(browser, "#why").text)
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert not find(browser, "#why").is_displayed()
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    until(lambda: find(browser, "#why").is_displayed())
    ActionChains(browser).send_keys(Keys.ARROW_LEFT).perform()
    assert browser.switch_to.active_element.text == "Rain fell."


def test_the_first_tab_skips_to_the_sentences(browser: Any) -> None:
    ActionChains(browser).send_keys(Keys.TAB).perform()
    assert browser.switch_to.active_element.text == "Skip to the sentences"


def test_one_article(browser: Any, pages: Path) -> None:
    show(browser, pages / "one.html")
    assert len(every(browser, "#text .s")) == 3
    ActionChains(browser).move_to_element(find(browser, "#text .s.b")).perform()
    until(lambda: "rule-moscow" in find(browser, "#why").text)
    assert "a name for soldiers" not in find(browser, ".notelist").text
    assert "outweighed" in find(browser, ".notelist .unheard").text
    assert find(browser, ".notelist li").get_attribute("value") == "2"


# -- people ----------------------------------------------------------------------------------------------

CONTRAST = """
const parse = (text) => {
  const mixed = text.startsWith('color(');
  const found = text.match(/(?:rgba?|color)\\((?:srgb )?([^)]*)\\)/);
  const parts = found[1].split(/[ ,/]+/).map(Number);
  return [...parts.slice(0, 3).map((part) => (mixed ? 255 * part : part)), parts.length > 3 ? parts[3] : 1];
};
const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
const ground = (node) => {
  const layers = [];
  for (; node; node = node.parentElement) layers.push(parse(getComputedStyle(node).backgroundColor));
  return layers.reverse().reduce((colour, layer) => over(layer, colour), [255, 255, 255]);
};
const light = (colour) => {
  const [r, g, b] = colour.map((c) => (c <= 10.3 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const faults = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let seen = 0;
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  const text = walker.currentNode.data.trim();
  if (!text || !node.checkVisibility() || node.closest('script, option, noscript')) continue;
  seen++;
  const drawing = node.closest('svg');
  const back = ground(drawing ? drawing.parentElement : node);
  const style = getComputedStyle(node);
  const front = over(parse(drawing ? style.fill : style.color), back);
  const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
  const ratio = (high + 0.05) / (low + 0.05);
  if (ratio < 4.5) faults.push(`${ratio.toFixed(2)} ${node.tagName}.${node.className} ${text.slice(0, 30)}`);
}
return [seen, faults];
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["report.html", "one.html"])
def test_all_text_can_be_read(browser: Any, pages: Path, name: str, theme: str) -> None:
    emulate(browser, theme=theme)
    show(browser, pages / name)
    browser.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    browser.execute_script(
        "document.querySelectorAll('.art button').forEach((b, i) => { if (i < 6) b.click(); })"
    )
    node = every(browser, ".s[data-n]")[0]
    browser.execute_script("arguments[0].focus()", node)
    until(lambda: find(browser, "#why").text)
    seen, faults = browser.execute_script(CONTRAST)
    assert seen > 20
    assert not faults, faults


def test_dark_mode_follows_the_system_and_the_button(browser: Any) -> None:
    def ground() -> int:
        found = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", found)[:3]))

    assert ground() > 700
    find(browser, "#theme").click()
    assert ground() < 120
    assert find(browser, "#theme").text == "Light colours"
    find(browser, "#theme").click()
    assert ground() > 700
    browser.execute_script("delete document.documentElement.dataset.theme")
    emulate(browser, theme="dark")
    assert ground() < 120


@pytest.mark.parametrize("name", ["report.html", "one.html"])
def test_everything_that_can_be_used_has_a_name(browser: Any, pages: Path, name: str) -> None:
    show(browser, pages / name)
    nodes = send(browser, "Accessibility.getFullAXTree")["nodes"]
    roles = {
        "button",
        "link",
        "textbox",
        "searchbox",
        "combobox",
        "checkbox",
        "radio",
        "Date",
        "region",
        "image",
    }
    used = [n for n in nodes if not n["ignored"] and n.get("role", {}).get("value") in roles]
    assert len(used) > 3
    nameless = [n for n in used if not n.get("name", {}).get("value", "").strip()]
    assert not nameless, nameless
    headings = [n for n in nodes if n.get("role", {}).get("value") == "heading"]
    assert headings


def test_a_narrow_window_needs_no_sideways_scrolling(browser: Any, pages: Path) -> None:
    size(browser, 360, 800)
    for name in ("report.html", "one.html"):
        show(browser, pages / name)
        widths = browser.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert widths[0] <= widths[1], (name, widths)


def test_print_leaves_out_what_cannot_be_used_on_paper(browser: Any) -> None:
    emulate(browser, media="print")
    assert not find(browser, "#filters").is_displayed()
    assert not find(browser, "nav").is_displayed()
    assert find(browser, ".caution").is_displayed()
    assert len(send(browser, "Page.printToPDF")["data"]) > 10_000


def test_without_script_the_first_screen_is_there(browser: Any, pages: Path) -> None:
    send(browser, "Emulation.setScriptExecutionDisabled", value=True)
    browser.get((pages / "report.html").as_uri())
    assert "Most in North" in find(browser, "#standout").text
    assert find(browser, ".stack rect").is_displayed()
    assert not find(browser, "#filters").is_displayed()
    assert "need the script" in find(browser, "noscript").text


def test_text_from_right_to_left_stays_in_its_place(browser: Any) -> None:
    find(browser, "[name=text]").send_keys("שלום")
    count(browser, "1 sentence in 1 article")
    find(browser, ".art button").click()
    node = until(lambda: every(browser, ".art .s"))[0]
    assert RTL in node.get_attribute("textContent")
    inner = find(browser, ".art .s bdi")
    assert inner.value_of_css_property("unicode-bidi") == "isolate"
    assert [m.text for m in every(browser, ".art .s mark")] == ["orcs"]


# -- hostile words ---------------------------------------------------------------------------------------


def test_hostile_words_are_inert(browser: Any) -> None:
    find(browser, "[name=text]").send_keys("onerror")
    count(browser, "1 sentence in 1 article")
    find(browser, ".art button").click()
    node = until(lambda: every(browser, ".art .s"))[0]
    assert HOSTILE.replace("\u202e", "\ufffd") in node.get_attribute("textContent")
    browser.execute_script("arguments[0].focus()", node)
    until(lambda: find(browser, "#why").text)
    assert not every(browser, "img")
    assert not every(browser, "[href^='javascript']")
    assert len(every(browser, "script:not([type])")) == 1
    assert not every(browser, "#results .orig a")


def test_the_policy_holds(chromium: Any, pages: Path) -> None:
    """Were markup ever to get in, it would neither run nor load."""
    show(chromium, pages / "report.html")
    logs(chromium)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.5)
        chromium.execute_script(
            """
            const add = (tag, set) => {
              const node = document.createElement(tag);
              set(node);
              document.body.append(node);
              return node;
            };
            add('script', (node) => { node.textContent = 'window.ran = 1'; });
            add('img', (node) => { node.src = arguments[0]; });
            add('div', (node) => node.setAttribute('onclick', 'window.ran = 1')).click();
            """,
            f"http://127.0.0.1:{listening.getsockname()[1]}/x.png",
        )
        with pytest.raises(TimeoutError):
            listening.accept()
    assert chromium.execute_script("return window.ran") is None
    assert sum("Content Security Policy" in line for line in logs(chromium)[0]) >= 3


# -- colours ---------------------------------------------------------------------------------------------

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
BLINDNESS = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def lab(colour: str, matrix: tuple[tuple[float, ...], ...]) -> tuple[float, float, float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    r, g, b = (min(1.0, max(0.0, sum(m * c for m, c in zip(row, linear, strict=True)))) for row in matrix)
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_the_colour_blind_can_tell_the_labels_apart(blindness: str) -> None:
    style = files("stance.report").joinpath("templates", "report.css").read_text(encoding="utf-8")
    light, dark = style.partition("@media (prefers-color-scheme: dark)")[::2]
    for theme in (light, dark):
        colours = dict(re.findall(r"--([abon]): (#[0-9a-f]{6})", theme))
        assert set(colours) == set("abon")
        places = {name: lab(colour, BLINDNESS[blindness]) for name, colour in colours.items()}
        for one in "abon":
            for other in "abon":
                if one < other:
                    apart = sum((p - q) ** 2 for p, q in zip(places[one], places[other], strict=True)) ** 0.5
                    assert apart > 15, (blindness, one, other, apart)
