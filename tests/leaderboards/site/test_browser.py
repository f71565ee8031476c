"""The pages in a real Chromium: sorting, filters, search, links, contrast, phones, no network."""

from __future__ import annotations

import shutil

import pytest
from dgmbench.leaderboards.report import Results
from dgmbench.leaderboards.site.site import write_site

webdriver = pytest.importorskip("selenium.webdriver", reason="Selenium is not installed")
Select = pytest.importorskip("selenium.webdriver.support.ui").Select
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs Chromium and its driver"),
]

# The lowest contrast of any visible text with what is behind it (WCAG 2.1, 1.4.3).
CONTRAST = """
const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const parsed = (text) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = text;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
function behind(element) {
  for (let e = element; e; e = e.parentElement) {
    const colour = parsed(getComputedStyle(e).backgroundColor);
    if (colour[3] > 0.99) return colour;
  }
  return parsed(getComputedStyle(document.body).backgroundColor);
}
let worst = [99, ""];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  const unseen = !element.checkVisibility() || element.closest("script, style, .skip");
  if (!node.data.trim() || unseen) continue;
  const svg = element.closest("svg");
  const style = getComputedStyle(element);
  const ink = light(parsed(svg ? style.fill : style.color)), paper = light(behind(svg || element));
  const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  if (ratio < worst[0]) worst = [ratio, element.outerHTML.slice(0, 160)];
}
return worst;
"""


@pytest.fixture(scope="module")
def site(seeded_results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    results = Results.read(seeded_results)
    write_site({results.records[0].suite: results}, (), folder)
    return folder


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_window_size(1280, 900)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, site):
    def opened(name):
        browser.get((site / name.partition("?")[0]).as_uri() + name[len(name.partition("?")[0]) :])
        return browser

    browser.set_window_size(1280, 900)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    return opened


def suite_page(site):
    own = {"index", "models", "published", "failures", "reading"}
    (found,) = (path.name for path in site.glob("*.html") if path.stem not in own)
    return found


def names(driver, table):
    rows = f"{table} tbody.models tr:not([data-hidden]) th"
    return [head.get_attribute("data-v") for head in driver.find_elements("css selector", rows)]


def test_no_page_asks_the_network_or_complains(page, site):
    for path in sorted(site.rglob("*.html")):
        driver = page(str(path.relative_to(site)))
        assert not [e for e in driver.get_log("browser") if e["level"] == "SEVERE"], path
    sent = [e["message"] for e in driver.get_log("performance")]
    asked = [m for m in sent if '"Network.requestWillBeSent"' in m]
    assert asked
    assert not [m for m in asked if '"url":"http' in m]


def test_a_heading_sorts_by_click_and_by_key(page, site):
    driver = page(suite_page(site))
    table = "#task-ring-8 .block:first-child table"
    button = driver.find_elements("css selector", f"{table} thead button")[0]
    button.click()
    assert names(driver, table) == sorted(names(driver, table))
    button.send_keys("\ue007")  # Enter
    assert names(driver, table) == sorted(names(driver, table), reverse=True)
    head = button.find_element("xpath", "..")
    assert head.get_attribute("aria-sort") == "descending"


def test_a_filter_hides_rows_pictures_and_curves_and_stays_in_the_address(page, site):
    driver = page(f"{suite_page(site)}?family=flow")
    shown = {
        e.get_attribute("data-model")
        for e in driver.find_elements("css selector", "[data-model]:not([data-frame])")
        if e.get_attribute("data-hidden") is None
    }
    assert "nsf" in shown and not shown & {"made", "vae", "gan"}
    assert driver.find_element("css selector", ".filters output").text.startswith("1 of ")
    box = driver.find_element("name", "model")
    family = driver.find_element("css selector", "select[name=family]")
    Select(family).select_by_value("")
    box.send_keys("gan")
    assert "model=gan" in driver.current_url and "family" not in driver.current_url


def test_the_search_box_leads_to_a_model(page):
    driver = page("index.html")
    box = driver.find_element("name", "q")
    box.send_keys("masked autoencoder")
    found = driver.find_elements("css selector", "#found a")
    assert [link.text.split("\n")[0] for link in found][:1] == ["made"]
    box.send_keys("\ue007")
    assert driver.current_url.endswith("/models/made.html")
    assert driver.find_element("tag name", "h1").text == "made"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(page, site, scheme):
    for name in ("index.html", suite_page(site), "models/made.html", "failures.html"):
        driver = page(name)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        ratio, where = driver.execute_script(CONTRAST)
        assert ratio >= 4.5, f"{name}: {ratio:.2f} at {where}"


def test_a_phone_scrolls_tables_and_not_the_page(page, site):
    for name in ("index.html", suite_page(site), "models/made.html", "reading.html"):
        driver = page(name)
        phone = {"width": 400, "height": 800, "deviceScaleFactor": 2, "mobile": True}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        wide = driver.execute_script("return document.documentElement.scrollWidth")
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        assert wide <= 400, name
