"""Every listed fault still is an edit of one place of today's sources.

Whether tests find them: `python -m tests.mutations`.
"""

import ast
from pathlib import Path

import pytest
from edits import EDITS

import trajsim

PACKAGE = Path(trajsim.__file__).parent
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_applies_to_one_place_and_leaves_a_program(edit):
    text = (PACKAGE / edit.file).read_text(encoding="utf-8")
    assert text.count(edit.old) == 1
    edited = text.replace(edit.old, edit.new)
    assert ast.dump(ast.parse(edited)) != ast.dump(ast.parse(text))


def test_edits_have_names_of_their_own_and_tests_that_are_there():
    assert len(EDITS) >= 25
    assert len({edit.name for edit in EDITS}) == len(EDITS)
    for test in {test for edit in EDITS for test in edit.first}:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8") or not name, test


def test_edits_cover_the_whole_way_through_the_house():
    places = {"models", "kernels", "ensemble", "compiled", "running", "store", "ledger"}
    assert places | {"analysis", "comparison"} <= {edit.place for edit in EDITS}
