"""What a person does on the page that calibrates a camera, in a real browser."""

from __future__ import annotations

from calibration_pictures import sled_points, true_camera
from kiosk_browser import Pages
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

REQUIRED = 6


def show_picture(pages: Pages) -> None:
    pages.until("document.body.dataset.ready === 'yes'")
    pages.browser.find_element(By.ID, "show").click()
    pages.until("document.body.dataset.preview === 'shown'")


def _place(pages: Pages, x: float, y: float) -> tuple[int, int]:
    """Of a place in the picture, in its own pixels: (right, down) of its middle on the screen."""
    width, height, pixels = pages.script(
        "document.getElementById('picture').scrollIntoView({ block: 'center' });"
        "const b = document.getElementById('shown').getBoundingClientRect();"
        "return [b.width, b.height, document.getElementById('shown').width]"
    )
    scale = width / pixels
    return round(x * scale - width / 2), round(y * scale - height / 2)


def press_at(pages: Pages, x: float, y: float, pointer: PointerInput | None = None) -> None:
    """A click or a touch into the picture, in its own pixels."""
    drag(pages, (x, y), (x, y), pointer)


def drag(
    pages: Pages, start: tuple[float, float], end: tuple[float, float], pointer: PointerInput | None = None
) -> None:
    """Press at one place of the picture, let go at another."""
    picture = pages.browser.find_element(By.ID, "picture")
    actions = ActionBuilder(pages.browser, mouse=pointer or PointerInput("mouse", "mouse"), duration=0)
    for where, then in ((start, "pointer_down"), (end, "pointer_up")):
        right, down = _place(pages, *where)
        actions.pointer_action.move_to(picture, right, down)
        getattr(actions.pointer_action, then)()
    actions.perform()


def choose_lens_by_focal_length(pages: Pages) -> None:
    Select(pages.browser.find_element(By.ID, "lens")).select_by_value("focal_px")
    pages.browser.find_element(By.ID, "lens-number").send_keys(f"{true_camera().focal_length_px:.1f}")


def click_points(pages: Pages) -> None:
    """The six that are needed, where the true camera sees them, and the fit."""
    show_picture(pages)
    for x, y in list(sled_points().values())[:REQUIRED]:
        press_at(pages, x, y)
    choose_lens_by_focal_length(pages)
    pages.browser.find_element(By.ID, "fit").click()
    pages.until("document.body.dataset.fit")
