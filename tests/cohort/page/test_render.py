"""The page stands alone, says what report.json says, and no name can break it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.cohort.cross_validation import evaluate
from napari_ims_tumor.cohort.external_validation import validate
from napari_ims_tumor.cohort.fitting import fit_cohort
from napari_ims_tumor.cohort.page.render import render_page
from napari_ims_tumor.cohort.report import EvaluationReport
from napari_ims_tumor.cohort.tallies import METRICS
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import FitConfig

VOID = {"meta", "img", "br", "circle", "rect", "path"}
EVIL = "<script>alert(1)</script> \"'&amp; $x_1$ {{ 7*7 }} 肿瘤 --><b>"


class Page(HTMLParser):
    """Tags with their attributes, and the text outside of style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text += data

    def every(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def report(cohorts: Any) -> EvaluationReport:
    return run_inline(evaluate(cohorts.cohort(6, signal=6.0), ("linear",)))


def test_nothing_is_loaded_from_anywhere(report: EvaluationReport) -> None:
    page = Page(render_page(report))
    assert not page.open
    assert not page.every("script")
    assert not page.every("link")
    policy = [m["content"] for m in page.every("meta") if "http-equiv" in m]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    for _, attributes in page.tags:
        assert not {"href", "srcset", "onload", "onclick"} & set(attributes)
        assert (attributes.get("src") or "data:").startswith("data:")
    assert "url(" not in render_page(report)


def test_pictures_have_words(report: EvaluationReport) -> None:
    page = Page(render_page(report))
    # Labels, and each network with and without neighbors, on six slides.
    assert set(report.results) == {"linear", "linear + neighbors"}
    assert [bool(image["alt"]) for image in page.every("img")] == [True] * 18
    for svg in page.every("svg"):
        assert svg.get("aria-label") or svg.get("aria-hidden") == "true"


def test_the_page_says_what_the_facts_say(report: EvaluationReport) -> None:
    facts, text = report.as_dict(), " ".join(Page(render_page(report)).text.split())
    found = facts["networks"]["linear"]
    for metric in METRICS:
        interval = found["intervals"][metric]
        assert f"{found[metric]:.3f}" in text
        assert f"{interval['low']:.3f} to {interval['high']:.3f}" in text
    for group, own in found["per_group"].items():
        assert group in text
        assert f"{own['accuracy']:.3f}" in text
    for slide in facts["inputs"]["slides"]:
        assert slide["checksum"] in text
        assert slide["labels"] in text
    assert " ".join(facts["verdict"]) in text
    assert "Not a medical device" in text
    assert facts["provenance"]["date"] in text


def test_names_are_text_whatever_they_hold(report: EvaluationReport) -> None:
    gathered = report.gathered
    named = replace(
        gathered,
        slides=tuple(f"{EVIL}{n}" for n in range(6)),
        group_names=tuple(f"{EVIL}{n}" for n in range(6)),
        records=tuple(replace(r, name=EVIL, uuid=EVIL) for r in gathered.records),
        notices=(EVIL,),
    )
    evil = replace(report, gathered=named, warnings=(EVIL,), files={EVIL: EVIL})
    page = Page(render_page(evil))
    assert not page.every("script")
    assert not page.every("b")
    assert not page.open
    assert EVIL in page.text
    assert any(EVIL in (image["alt"] or "") for image in page.every("img"))


def test_where_nothing_could_be_judged_the_page_says_why(cohorts: Any) -> None:
    report = run_inline(evaluate(cohorts.cohort(1), ("linear",)))
    page = Page(render_page(report))
    assert f"Nothing was judged: {report.why_not}." in page.text
    assert not page.every("img")


def test_shuffled_labels_are_named(cohorts: Any) -> None:
    report = run_inline(evaluate(cohorts.cohort(5), ("linear",), permute_labels=3))
    text = Page(render_page(report)).text
    assert "labels shuffled" in text
    assert "(seed 3)" in text


def test_an_external_validation_names_the_model_and_warns(cohorts: Any) -> None:
    slides = cohorts.cohort(3)
    model = run_inline(fit_cohort(slides, FitConfig(network="linear")))
    text = Page(render_page(run_inline(validate(model, slides)))).text
    assert model.model_id in text
    assert "114 of the 114 judged pixels were in the model's fit" in text


def test_a_page_stays_small(report: EvaluationReport) -> None:
    html = render_page(report)
    assert len(html) < 60_000
    assert not re.search(r"\bnan\b|\bNone\b|Undefined", Page(html).text)


def test_pixels_lie_where_they_were_measured(report: EvaluationReport) -> None:
    import base64
    import io

    from PIL import Image

    (labels, *_) = Page(render_page(report)).every("img")
    content = base64.b64decode((labels["src"] or "").partition(",")[2])
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
    assert picture.shape == (6, 8, 4)
    assert not picture[:, 7, 3].any()
    where = report.gathered
    own = where.slide == 0
    colors = {0: (0, 114, 178), 1: (213, 94, 0)}
    for row, column, c in zip(where.row[own], where.column[own], report.classes[own], strict=True):
        assert tuple(picture[row, column, :3]) == colors[int(c)]
    assert tuple(picture[2, 3]) == (0xB9, 0xBC, 0xC0, 255)


def test_what_it_looks_at_is_on_the_page(report: EvaluationReport) -> None:
    text = Page(render_page(report)).text
    relevance = report.as_dict()["relevance"]
    assert "What it looks at" in text
    for row in relevance["networks"]["linear"]["peaks"][:5]:
        assert f"{row['mz']:.4f}" in text
        assert f"{100 * row['share']:.1f} %" in text
    assert relevance["alone"]["words"] in " ".join(text.split())
    assert relevance["caveats"][0] in text
