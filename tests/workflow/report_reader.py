"""A report, read as a visitor does: in a browser, category by category, eye by eye."""

import contextlib
import shutil
import time
from dataclasses import dataclass

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)
PATIENCE_S = 30


@dataclass(frozen=True)
class Shown:
    """A picture that a visitor gets to see."""

    name: str  # file name
    width_px: int
    height_px: int


def missing():
    """Which of the programs it takes is not installed; empty where all are."""
    return [program for program in ("chromium", "chromedriver") if shutil.which(program) is None]


@contextlib.contextmanager
def visitor(report, profile):
    """A browser with an empty profile that has opened the report."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    try:
        browser.get(report.resolve().as_uri())
        _until(browser, lambda: _link(browser, "Workflow"))
        yield browser
    finally:
        browser.quit()
        service.stop()


def landing(browser):
    """The first page: its text, and the pixels between its title and the upper edge."""
    page = browser.find_element(By.CLASS_NAME, "prose")
    title = page.find_element(By.TAG_NAME, "h1")
    return page.get_attribute("textContent"), title.rect["y"]


def categories(browser):
    """Names of the result categories in the menu."""
    home(browser)
    known = ("Workflow", "Statistics", "About", "")
    links = browser.find_elements(By.CSS_SELECTOR, "nav li a")
    return [link.text.strip() for link in links if link.text.strip() not in known]


def home(browser):
    """Back to the first menu."""
    browser.find_elements(By.CSS_SELECTOR, "nav ol a")[0].click()
    _until(browser, lambda: _link(browser, "Statistics"))


def pictures(browser, category, screenshots):
    """Open everything in a category; returns each picture that appears, with its size."""
    home(browser)
    _link(browser, category).click()
    _until(browser, lambda: _eyes(browser) or _folders(browser))
    shown = []
    for folder in [f.text for f in _folders(browser)] or [None]:
        if folder is not None:
            _link(browser, folder).click()
            _until(browser, lambda: _eyes(browser))
        shown += _pictures_of_list(browser, screenshots)
        if folder is not None:
            _link(browser, category).click()
    return shown


def _pictures_of_list(browser, screenshots):
    shown = []
    toggles = [
        t.get_attribute("for") for t in browser.find_elements(By.CSS_SELECTOR, "fieldset label")
    ]
    for toggle in toggles or [None]:
        if toggle is not None:
            browser.find_element(By.CSS_SELECTOR, f"label[for={toggle}]").click()
            time.sleep(0.3)
        for position in range(len(_eyes(browser))):
            _eyes(browser)[position].click()
            image = _until(browser, lambda: _image(browser, shown))
            shown.append(image)
            browser.save_screenshot(str(screenshots / f"{image.name}.screenshot.png"))
    return shown


def _image(browser, before):
    """The picture on display, once it is another than the one before."""
    for image in browser.find_elements(By.CSS_SELECTOR, "img"):
        source = image.get_attribute("src")
        name = source.partition("filename=")[2].partition(";")[0]
        is_loaded = browser.execute_script("return arguments[0].complete", image)
        if name and name != "logo.svg" and is_loaded and name not in [b.name for b in before]:
            return Shown(name, image.size["width"], image.size["height"])
    return None


def _eyes(browser):
    return browser.find_elements(By.CSS_SELECTOR, "a[iconname=eye]")


def _folders(browser):
    """Subcategories on display; a single one is opened by the report itself."""
    if _eyes(browser):
        return []
    return [a for a in browser.find_elements(By.CSS_SELECTOR, "nav .p-3 a") if a.text.strip()]


def _link(browser, name):
    links = browser.find_elements(By.CSS_SELECTOR, "nav a")
    return next((link for link in links if link.text.strip() == name), None)


def _until(browser, condition):
    return WebDriverWait(browser, PATIENCE_S).until(lambda _: condition())
