"""Working on the canvas by mouse and keyboard: add, connect, select, move, copy, delete, undo and redo."""

from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.browser import drag, drop_from_palette, entrance, handle, node, watched_page
from tests.e2e.test_main_job import open_new
from tests.processes import Program


def nodes(page: Page) -> Locator:
    return page.locator(".react-flow__node")


def edges(page: Page) -> Locator:
    return page.locator(".react-flow__edge")


def stored_kinds(page: Page, program: Program) -> list[str]:
    """Kinds of the nodes that are saved."""
    definition = program.ask("GET", f"/{page.url.rstrip('/').rpartition('/')[2]}")["definition"]
    return sorted(item["data"]["nodeType"] for item in definition["nodes"])


def test_nodes_are_added_by_click_connected_selected_copied_deleted_and_brought_back(
    page: Page, program: Program
) -> None:
    open_new(page, program, "By hand")
    page.get_by_test_id("palette-Parallel").click()
    expect(nodes(page)).to_have_count(1)
    # A click on the palette connects the new node to the selected one.
    page.get_by_test_id("palette-DataMapper").click()
    expect(nodes(page)).to_have_count(2)
    expect(edges(page)).to_have_count(1)

    page.locator(".react-flow__pane").click(position={"x": 20, "y": 20})
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+c")
    page.keyboard.press("Control+v")
    expect(nodes(page)).to_have_count(4)
    expect(edges(page)).to_have_count(2)
    page.keyboard.press("Delete")
    expect(nodes(page)).to_have_count(2)
    page.keyboard.press("Control+z")
    expect(nodes(page)).to_have_count(4)
    page.keyboard.press("Control+z")
    expect(nodes(page)).to_have_count(2)
    page.keyboard.press("Control+Shift+z")
    expect(nodes(page)).to_have_count(4)
    page.keyboard.press("Control+s")
    expect(page.get_by_test_id("version")).to_have_text("Version 2")
    assert stored_kinds(page, program) == ["DataMapper", "DataMapper", "Parallel", "Parallel"]


def test_an_arrow_that_would_close_a_circle_is_refused_with_a_reason(page: Page, program: Program) -> None:
    open_new(page, program, "Circle")
    drop_from_palette(page, "Parallel", 60, 150)
    drop_from_palette(page, "DataMapper", 360, 350)
    page.get_by_label("Close panel").click()
    first, second = node(page, "Parallel").first, node(page, "Data mapper").first
    drag(page, handle(first, "out"), entrance(second))
    expect(edges(page)).to_have_count(1)
    drag(page, handle(second, "out"), entrance(first))
    expect(page.get_by_text("circle").first).to_be_visible()
    expect(edges(page)).to_have_count(1)


def test_several_nodes_are_selected_with_a_box_and_moved_together(page: Page, program: Program) -> None:
    open_new(page, program, "Box")
    drop_from_palette(page, "Parallel", 250, 200)
    drop_from_palette(page, "DataMapper", 250, 340)
    pane = page.locator(".react-flow__pane").bounding_box()
    assert pane is not None
    page.locator(".react-flow__pane").click(position={"x": 20, "y": 20})
    page.keyboard.down("Shift")
    page.mouse.move(pane["x"] + 60, pane["y"] + 100)
    page.mouse.down()
    page.mouse.move(pane["x"] + 700, pane["y"] + 560, steps=8)
    page.mouse.up()
    page.keyboard.up("Shift")
    expect(page.locator(".react-flow__node.selected")).to_have_count(2)
    before = node(page, "Parallel").first.bounding_box()
    page.keyboard.press("Shift+ArrowRight")
    page.locator("#save").click()
    expect(page.get_by_test_id("version")).to_have_text("Version 2")
    after = node(page, "Parallel").first.bounding_box()
    assert before is not None
    assert after is not None
    assert after["x"] > before["x"]


def test_what_was_moved_a_moment_before_saving_is_saved_with_it(page: Page, program: Program) -> None:
    open_new(page, program, "Moved and saved")
    drop_from_palette(page, "Parallel", 250, 200)
    expect(page.get_by_test_id("version")).to_have_text("Unsaved changes")
    before = node(page, "Parallel").first.evaluate("node => node.style.transform")
    node(page, "Parallel").first.press("Shift+ArrowRight")
    page.locator("#save").evaluate("button => button.click()")
    expect(page.get_by_test_id("version")).to_have_text("Version 2")
    after = node(page, "Parallel").first.evaluate("node => node.style.transform")
    page.reload()
    expect(page.get_by_test_id("version")).to_have_text("Version 2")
    assert node(page, "Parallel").first.evaluate("node => node.style.transform") == after != before


def test_a_graph_is_drawn_and_run_with_a_finger_on_a_phone(browser: Browser, program: Program) -> None:
    phone = {"width": 390, "height": 844}
    with watched_page(browser, viewport=phone, has_touch=True, is_mobile=True) as page:
        open_new(page, program, "On a phone")
        page.get_by_test_id("palette-Parallel").tap()
        expect(nodes(page)).to_have_count(1)
        page.locator("#save").tap()
        page.locator("#run").tap()
        page.locator("#start-run").tap()
        expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "COMPLETED")
