"""Fills the page: every figure on it is one of the report's plain facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from napari_ims_tumor.cohort.page import charts
from napari_ims_tumor.cohort.page.maps import MOST_MAPS, class_colors, held_out_maps
from napari_ims_tumor.cohort.scoring import HARD_BELOW
from napari_ims_tumor.cohort.verdict import WORDS, signed, with_interval

if TYPE_CHECKING:
    from napari_ims_tumor.cohort.report import EvaluationReport

MOST_GROUPS: Final = 200
TEMPLATE: Final = "report.html.jinja"


def render_page(report: EvaluationReport) -> str:
    """Render report.html; names from files are shown as text, whatever they hold."""
    facts = report.as_dict()
    maps, n_sections = held_out_maps(report) if facts["why_not"] is None else ([], 0)
    networks: dict[str, Any] = facts["networks"]
    start = charts.strip_start(networks)
    return _environment().get_template(TEMPLATE).render(
        facts=facts,
        networks=networks,
        provenance=facts["provenance"],
        words=WORDS,
        tumor=facts["classes"][-1],
        colors=class_colors(facts["classes"]),
        roc=charts.roc_curves(networks),
        coverage=charts.coverage_curves(networks),
        calibration=charts.calibration_curves(networks),
        most_in_a_bin=charts.most_in_a_bin(networks),
        sizes={"side": charts.SIDE, "strip": charts.STRIP, "counts": charts.COUNTS},
        strip_from=start,
        strip_ticks=(start, (1 + start) / 2, 1),
        groups=facts["groups"][:MOST_GROUPS],
        hard_below=HARD_BELOW,
        maps=maps,
        n_sections=n_sections,
        most_maps=MOST_MAPS,
    )  # fmt: skip


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("napari_ims_tumor.cohort.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"strip_place": charts.strip_place, "signed": signed}
    environment.globals["with_interval"] = with_interval
    return environment
