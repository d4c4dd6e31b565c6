"""Reports in a browser: they load without errors and without the network, and their controls work.

Needs Chromium and chromedriver; skipped without them.
"""

from __future__ import annotations

import json
import shutil
import time

import pytest
from helpers.report_cases import IMAGE, SCRIPT, TEMPLATE, report

import fastgd
from fastgd.show.report.page_text import NOTHING

pytest.importorskip("plotly", reason="plotly is not installed: pip install 'fastgd[report]'")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
if CHROMIUM is None or DRIVER is None:
    pytest.skip("there is no browser: install chromium and chromium-driver", allow_module_level=True)

PATIENCE = 20.0  # seconds, on a busy machine


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    fastgd.write_report(path, report())
    return path.as_uri()


@pytest.fixture
def page(browser, address):
    """The page, newly loaded, in light mode at 1000 x 800 pixels."""
    look(browser, "light")
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(address)
    wait_for(browser, "return document.querySelectorAll('.main-svg').length >= 4")
    return browser


def look(browser, colours, width=1000):
    media = {"features": [{"name": "prefers-color-scheme", "value": colours}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def wait_for(browser, script):
    """Wait until the script returns a true value, and return it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := browser.execute_script(script):
            return found
        time.sleep(0.05)
    raise AssertionError(f"never true: {script}")


def choose(browser, label):
    """Click the choice with this label."""
    for option in browser.find_elements("css selector", "fieldset label"):
        if option.text == label:
            option.click()
            return
    raise AssertionError(label)


def trace(browser, chart, k, name):
    return browser.execute_script(f"return document.getElementById('{chart}').data[{k}].{name}")


def texts(browser, selector):
    return [element.get_property("textContent") for element in browser.find_elements("css selector", selector)]


def test_page_loads_without_errors_and_without_requests(page, address):
    assert page.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert address in urls
    assert [url for url in urls if url != address and not url.startswith("data:")] == []


def test_requests_are_blocked(page):
    """The content security policy of the page blocks requests."""
    script = (
        "const done = arguments[arguments.length - 1]; const image = new Image();"
        "document.addEventListener('securitypolicyviolation', (event) => done(event.violatedDirective));"
        "image.src = 'https://example.invalid/a.png'; setTimeout(() => done('nothing'), 5000);"
    )
    assert page.execute_async_script(script) == "img-src"


def test_table_has_the_rows(page):
    rows = page.find_elements("css selector", "#runs tbody tr")
    cells = [[cell.text for cell in row.find_elements("css selector", "th, td")] for row in rows]
    assert cells == [["gd", "4", "0.5"], [IMAGE, "4", "2"], [SCRIPT, "2", NOTHING]]


def test_hostile_names_are_text(page):
    assert page.find_elements("css selector", "main img, .chart img") == []
    assert len(page.find_elements("tag name", "script")) == 3
    assert page.title == f"the lesson {SCRIPT}"
    assert texts(page, "#curves .legendtext")[:2] == ["gd", IMAGE]
    assert texts(page, "#landscape .xtitle") == [f"weight of {IMAGE}"]
    assert texts(page, "#landscape .ytitle") == [TEMPLATE]
    assert f"{IMAGE}: 1" in page.find_element("id", "where").text


def test_control_changes_the_scale(page):
    scale = "return document.getElementById('curves')._fullLayout.yaxis.type"
    ticks = texts(page, "#curves .ytick")
    choose(page, "logarithmic" if page.execute_script(scale) == "linear" else "linear")
    assert wait_for(page, f"{scale} === '{'log' if '0' in ticks else 'linear'}'")
    assert texts(page, "#curves .ytick") != ticks


def test_control_shows_smoothed_curves_in_front(page):
    assert trace(page, "curves", 1, "visible") is False
    drawn = "return document.querySelectorAll('#curves .scatterlayer .trace').length"
    before = page.execute_script(drawn)
    choose(page, "on (beta 0.9)")
    assert wait_for(page, f"{drawn} === {before + 3}")
    assert trace(page, "curves", 0, "opacity") < 0.5
    assert len(texts(page, "#curves .legendtext")) == 4  # three runs and a cross
    choose(page, "off")
    assert wait_for(page, f"{drawn} === {before}")
    assert trace(page, "curves", 0, "opacity") == 1


def test_control_changes_the_x_axis(page):
    assert texts(page, "#curves .xtitle") == ["epochs (passes over the rows)"]
    assert trace(page, "curves", 0, "x") == [0, 1, 2, 3, 4]
    choose(page, "seconds")
    assert wait_for(page, "return document.querySelector('#curves .xtitle').textContent === 'seconds of training'")
    assert trace(page, "curves", 0, "x") == [0, 0.5, 1, 1.5, 2]


def test_hover_shows_values(page):
    layer = page.find_element("css selector", "#curves .nsewdrag")
    webdriver.ActionChains(page).move_to_element(layer).perform()
    wait_for(page, "return document.querySelectorAll('#curves .hoverlayer .legendtext').length >= 2")
    assert any("gd" in text for text in texts(page, "#curves .hoverlayer .legendtext"))


def test_hover_shows_smoothed_values_if_smoothing_is_on(page):
    choose(page, "on (beta 0.9)")
    wait_for(page, "return document.getElementById('curves').data[1].visible")
    layer = page.find_element("css selector", "#curves .nsewdrag")
    webdriver.ActionChains(page).move_to_element(layer).perform()
    rows = "[...document.querySelectorAll('#curves .hoverlayer .legendtext')].map((text) => text.textContent)"
    wait_for(page, f"return {rows}.length >= 2")
    names = [text.partition(" : ")[0] for text in page.execute_script(f"return {rows}") if " : " in text]
    assert len(names) == len(set(names)) >= 2


def test_buttons_move_along_the_paths(page):
    def heads():
        return [trace(page, "landscape", k, "x") for k in (3, 6)]

    where = page.find_element("id", "where")
    assert heads() == [[0], [0]]
    assert where.text.splitlines() == ["step 4 of 4, F there:", "gd: 0", f"{IMAGE}: 1"]
    page.find_element("id", "back").click()
    assert wait_for(page, "return document.getElementById('landscape').data[3].x[0] === 0.25")
    assert trace(page, "landscape", 2, "x") == [2, 1, 0.5, 0.25]
    assert trace(page, "landscape", 1, "x") == [2, 1, 0.5, 0.25, 0]  # the whole path
    assert heads()[1] == [0]  # the shorter path has already ended
    for _ in range(3):
        page.find_element("id", "back").click()
    assert where.text.splitlines() == ["step 0 of 4, F there:", "gd: 8", f"{IMAGE}: 8"]
    assert page.find_elements("css selector", "#landscape .contourlayer .contourfill path")


def test_play_runs_to_the_end_and_stops(page):
    button = page.find_element("id", "play")
    button.click()
    assert (button.text, button.get_attribute("aria-pressed")) == ("Pause", "true")
    seen = set()
    end = time.monotonic() + PATIENCE
    while button.text == "Pause" and time.monotonic() < end:
        seen.add(trace(page, "landscape", 3, "x")[0])
        time.sleep(0.02)
    assert button.text == "Play"
    assert {1, 0.5} & seen
    assert trace(page, "landscape", 3, "x") == [0]


def test_play_can_be_paused(page):
    button = page.find_element("id", "play")
    button.click()
    button.click()
    step = page.execute_script("return document.getElementById('step').value")
    time.sleep(0.7)  # longer than a step
    assert page.execute_script("return document.getElementById('step').value") == step


def luminance(browser, selector, name):
    """Luminance of a colour, from 0 to 255."""
    colour = browser.execute_script(f"return getComputedStyle(document.querySelector('{selector}')).{name}")
    red, green, blue = map(float, colour[colour.index("(") + 1 : -1].split(",")[:3])
    return 0.2 * red + 0.7 * green + 0.1 * blue


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_text_has_contrast_in_light_and_dark_mode(page, colours):
    look(page, "dark" if colours == "light" else "light")
    look(page, colours)  # while the page is open
    scale = "document.getElementById('landscape').data[0].colorscale[0][1]"
    wait_for(page, f"return {scale} === '{'#ffffff' if colours == 'light' else '#16181b'}'")
    background = luminance(page, "body", "backgroundColor")
    assert (background > 200) == (colours == "light")
    assert (background < 50) == (colours == "dark")
    for selector, name in [
        ("body", "color"), ("#curves .xtitle", "fill"), ("#curves .legendtext", "fill"),
        ("#landscape .ytick text", "fill"), ("thead th", "color"), (".failure strong", "color"),
    ]:  # fmt: skip
        assert abs(luminance(page, selector, name) - background) > 100, selector


@pytest.mark.parametrize("width", [1000, 400])
def test_page_fits_the_width(page, width):
    look(page, "light", width)
    wait_for(page, f"return document.querySelector('#curves .main-svg').clientWidth <= {width}")
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
