"""Back and forward through what was asked of a map, as in a web browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer.clusters.history import (
    ThresholdHistory,
    remember,
    tried_on,
)
from napari_neurosynth_results.viewer.clusters.mask_choice import (
    BRAIN,
    MaskChoice,
    ViewerRequest,
)

MOST = 200
A, B, C = (ViewerRequest(Threshold(p=p)) for p in (0.001, 0.01, 0.05))


def after(*questions: ViewerRequest) -> ThresholdHistory:
    """Try some questions on a map that nothing was tried on."""
    tried = ThresholdHistory()
    for question in questions:
        tried = tried.with_next(question)
    return tried


@pytest.fixture
def layer() -> Any:
    """Return a layer of napari."""
    from napari.layers import Image

    return Image(np.zeros((2, 2, 2)))


def test_nothing_was_tried_at_first() -> None:
    tried = ThresholdHistory()
    assert tried.shown is None
    assert not tried.can_go_back
    assert not tried.can_go_forward
    assert tried.back() == tried.forward() == tried


def test_back_and_forward_end_where_they_began() -> None:
    tried = after(A, B, C)
    assert (tried.shown, tried.can_go_back, tried.can_go_forward) == (C, True, False)
    middle = tried.back()
    assert (middle.shown, middle.can_go_back, middle.can_go_forward) == (B, True, True)
    first = middle.back()
    assert (first.shown, first.can_go_back, first.can_go_forward) == (A, False, True)
    assert first.back() == first
    assert first.forward().forward() == tried
    assert tried.forward() == tried


def test_what_came_after_is_forgotten_when_another_is_tried() -> None:
    tried = after(A, B).back().with_next(C)
    assert tried.requests == (A, C)
    assert tried.shown == C
    assert not tried.can_go_forward


def test_a_question_that_is_shown_is_not_added_again() -> None:
    tried = after(A, B)
    assert tried.with_next(ViewerRequest(Threshold(p=0.01))) == tried
    # Neither does it forget what comes after, as little as a page that is reloaded.
    assert tried.back().with_next(A).forward().shown == B


def test_an_equal_question_of_long_ago_is_added() -> None:
    assert after(A, B, A).requests == (A, B, A)


@pytest.mark.parametrize(
    "other",
    [
        *(
            ViewerRequest(Threshold(p=0.001, **options))
            for options in (
                {"connectivity": 18},
                {"min_voxels": 10},
                {"min_mm3": 80.0},
                {"tail": "both"},
            )
        ),
        ViewerRequest(Threshold(q=0.001)),
        ViewerRequest(Threshold(p=0.001), MaskChoice(BRAIN)),
        ViewerRequest(Threshold(p=0.001), dof=20),
    ],
)
def test_questions_that_differ_in_anything_are_both_kept(other: ViewerRequest) -> None:
    assert after(A, other).back().shown == A


def test_the_oldest_are_forgotten_beyond_200() -> None:
    asked = [ViewerRequest(Threshold(value=1 + n)) for n in range(MOST + 5)]
    tried = after(*asked)
    assert tried.requests == tuple(asked[5:])
    assert tried.shown == asked[-1]
    for _ in range(MOST + 5):
        tried = tried.back()
    assert tried.shown == asked[5]


def test_a_history_cannot_be_changed_by_those_who_read_it() -> None:
    tried = after(A)
    tried.with_next(B)
    assert tried.requests == (A,)


def test_what_was_tried_is_kept_with_the_layer(layer: Any) -> None:
    assert tried_on(layer) == ThresholdHistory()
    layer.metadata["of somebody else"] = 1
    remember(layer, after(A, B).back())
    assert tried_on(layer).shown == A
    assert tried_on(layer).forward().shown == B
    assert layer.metadata["of somebody else"] == 1


def test_metadata_of_another_kind_counts_as_nothing_tried(layer: Any) -> None:
    remember(layer, after(A))
    (key,) = layer.metadata
    layer.metadata[key] = "something else"
    assert tried_on(layer) == ThresholdHistory()


class Browser(RuleBasedStateMachine):
    """The same clicks on a history and on two stacks, as browsers have them."""

    def __init__(self) -> None:
        super().__init__()
        self.tried = ThresholdHistory()
        self.before: list[ViewerRequest] = []
        self.shown: ViewerRequest | None = None
        self.later: list[ViewerRequest] = []

    @rule(question=st.sampled_from([A, B, C]))
    def ask(self, question: ViewerRequest) -> None:
        """Try one, as a link that is clicked."""
        self.tried = self.tried.with_next(question)
        if question == self.shown:
            return
        if self.shown is not None:
            self.before.append(self.shown)
        self.shown, self.later = question, []

    @rule()
    def back(self) -> None:
        """Click back."""
        self.tried = self.tried.back()
        if self.before and self.shown is not None:
            self.later.append(self.shown)
            self.shown = self.before.pop()

    @rule()
    def forward(self) -> None:
        """Click forward."""
        self.tried = self.tried.forward()
        if self.later and self.shown is not None:
            self.before.append(self.shown)
            self.shown = self.later.pop()

    @invariant()
    def agrees(self) -> None:
        """Compare what is shown, and which of the buttons can be clicked."""
        assert self.tried.shown == self.shown
        assert self.tried.can_go_back == bool(self.before)
        assert self.tried.can_go_forward == bool(self.later)


TestBrowser = Browser.TestCase
TestBrowser.settings = settings(max_examples=50, stateful_step_count=30)
