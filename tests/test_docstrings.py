"""Docstrings of the public names: their examples run as they stand, and their sections name what is there."""

import doctest
import inspect

import pytest

import jaxnas
from tests.reference.docstrings import SECTIONS, docstring, entries, sections

LONG_OR_WITH_FILES = {"load", "run_few_shot"}  # names whose examples have lines that are only shown
FUNCTIONS = [name for name in jaxnas.__all__ if inspect.isfunction(getattr(jaxnas, name))]


@pytest.mark.parametrize("name", jaxnas.__all__)
def test_the_example_runs_as_it_stands(name) -> None:
    body = sections(docstring(name))[1].get("Example", "")
    example = doctest.DocTestParser().get_doctest(body, {}, name, None, 0)
    assert example.examples, f"{name} has no example"
    assert name in LONG_OR_WITH_FILES or not any(line.options for line in example.examples)
    told: list[str] = []
    doctest.DocTestRunner(verbose=False).run(example, out=told.append)
    assert not told, "".join(told)


@pytest.mark.parametrize("name", jaxnas.__all__)
def test_sections_stand_in_one_order_after_a_sentence(name) -> None:
    lead, found = sections(docstring(name))
    assert lead and list(found) == [head for head in SECTIONS if head in found]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_says_what_it_takes_gives_and_raises(name) -> None:
    found = sections(docstring(name))[1]
    assert list(entries(found["Args"])) == list(inspect.signature(getattr(jaxnas, name)).parameters)
    assert found["Returns"] and "UserError" in entries(found["Raises"])
