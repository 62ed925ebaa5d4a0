import pytest

from orchestrator_app.domain.json_values import a_type, is_blank, is_list, is_object, quoted, type_name


@pytest.mark.parametrize(
    ("value", "name", "with_article"),
    [
        (None, "null", "null"),
        (True, "true/false", "true/false"),
        (1, "number", "a number"),
        (1.5, "number", "a number"),
        ("", "text", "text"),
        ([], "list", "a list"),
        ({}, "object", "an object"),
    ],
)
def test_types_have_the_names_that_users_of_json_know(value, name, with_article):
    assert type_name(value) == name
    assert a_type(value) == with_article


def test_text_is_quoted_on_one_line():
    assert quoted("Send \n the\tmail") == "“Send the mail”"


def test_long_text_is_cut_and_shows_that_it_was():
    assert quoted("x" * 60) == f"“{'x' * 60}”"
    assert quoted("x" * 61) == f"“{'x' * 59}…”"
    assert quoted("abcdef", most=3) == "“ab…”"


def test_what_is_no_text_is_named_by_its_type():
    assert quoted(10**5000) == "a number"
    assert quoted([[1]]) == "a list"


@pytest.mark.parametrize("value", [None, "", " ", "\n\t"])
def test_nothing_and_white_space_are_blank(value):
    assert is_blank(value)


@pytest.mark.parametrize("value", [0, False, [], {}, "x", " x "])
def test_everything_else_is_not_blank(value):
    assert not is_blank(value)


def test_objects_and_lists_are_told_apart():
    assert is_object({})
    assert not is_object([])
    assert is_list([])
    assert not is_list({})
