"""Slides of random spectra, as large as wished: the four data sets of the benchmark."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

HEAD = """<?xml version="1.0" encoding="ISO-8859-1"?>
<mzML xmlns="http://psi.hupo.org/ms/mzml" version="1.1">
  <cvList count="3">
    <cv id="MS" fullName="Proteomics Standards Initiative Mass Spectrometry Ontology" URI="psi-ms.obo" version="3.65.0"/>
    <cv id="UO" fullName="Unit Ontology" URI="unit.obo" version="12:10:2011"/>
    <cv id="IMS" fullName="Imaging MS Ontology" URI="imagingMS.obo" version="1.1.0"/>
  </cvList>
  <fileDescription><fileContent>
    <cvParam cvRef="MS" accession="MS:1000579" name="MS1 spectrum" value=""/>
    <cvParam cvRef="MS" accession="{mode}" name="{mode_name} spectrum" value=""/>
    <cvParam cvRef="IMS" accession="{layout}" name="{layout_name}" value=""/>
    <cvParam cvRef="IMS" accession="IMS:1000080" name="universally unique identifier" value="{{{uuid}}}"/>
  </fileContent></fileDescription>
  <referenceableParamGroupList count="2">
    <referenceableParamGroup id="mzArray">
      <cvParam cvRef="MS" accession="MS:1000576" name="no compression" value=""/>
      <cvParam cvRef="MS" accession="MS:1000514" name="m/z array" unitCvRef="MS" unitAccession="MS:1000040" unitName="m/z"/>
      <cvParam cvRef="MS" accession="MS:1000523" name="64-bit float" value=""/>
      <cvParam cvRef="IMS" accession="IMS:1000101" name="external data" value="true"/>
    </referenceableParamGroup>
    <referenceableParamGroup id="intensityArray">
      <cvParam cvRef="MS" accession="MS:1000521" name="32-bit float" value=""/>
      <cvParam cvRef="MS" accession="MS:1000515" name="intensity array" unitCvRef="MS" unitAccession="MS:1000131" unitName="number of detector counts"/>
      <cvParam cvRef="MS" accession="MS:1000576" name="no compression" value=""/>
      <cvParam cvRef="IMS" accession="IMS:1000101" name="external data" value="true"/>
    </referenceableParamGroup>
  </referenceableParamGroupList>
  <softwareList count="1"><software id="benchmark" version="1"/></softwareList>
  <scanSettingsList count="1"><scanSettings id="scanSettings1">
    <cvParam cvRef="IMS" accession="IMS:1000401" name="top down"/>
    <cvParam cvRef="IMS" accession="IMS:1000411" name="one way"/>
    <cvParam cvRef="IMS" accession="IMS:1000480" name="horizontal line scan"/>
    <cvParam cvRef="IMS" accession="IMS:1000491" name="linescan left right"/>
    <cvParam cvRef="IMS" accession="IMS:1000042" name="max count of pixels x" value="{side}"/>
    <cvParam cvRef="IMS" accession="IMS:1000043" name="max count of pixels y" value="{side}"/>
    <cvParam cvRef="IMS" accession="IMS:1000046" name="pixel size x" value="20" unitCvRef="UO" unitAccession="UO:0000017" unitName="micrometer"/>
    <cvParam cvRef="IMS" accession="IMS:1000047" name="pixel size y" value="20" unitCvRef="UO" unitAccession="UO:0000017" unitName="micrometer"/>
  </scanSettings></scanSettingsList>
  <instrumentConfigurationList count="1"><instrumentConfiguration id="IC1"/>
  </instrumentConfigurationList>
  <dataProcessingList count="1"><dataProcessing id="export">
    <processingMethod order="0" softwareRef="benchmark"/>
  </dataProcessing></dataProcessingList>
  <run defaultInstrumentConfigurationRef="IC1" id="r">
    <spectrumList count="{n}" defaultDataProcessingRef="export">
"""  # noqa: E501 - the lines are as long as pyimzML's
SPECTRUM = """      <spectrum defaultArrayLength="0" id="spectrum={i}" index="{i}">
        <cvParam cvRef="MS" accession="MS:1000528" name="lowest observed m/z" value="{low}" unitCvRef="MS" unitAccession="MS:1000040" unitName="m/z"/>
        <cvParam cvRef="MS" accession="MS:1000527" name="highest observed m/z" value="{high}" unitCvRef="MS" unitAccession="MS:1000040" unitName="m/z"/>
        <cvParam cvRef="MS" accession="MS:1000504" name="base peak m/z" value="{low}" unitCvRef="MS" unitAccession="MS:1000040" unitName="m/z"/>
        <cvParam cvRef="MS" accession="MS:1000505" name="base peak intensity" value="{tic}" unitCvRef="MS" unitAccession="MS:1000131" unitName="number of counts"/>
        <cvParam cvRef="MS" accession="MS:1000285" name="total ion current" value="{tic}"/>
        <scanList count="1">
          <cvParam accession="MS:1000795" cvRef="MS" name="no combination"/>
          <scan instrumentConfigurationRef="instrumentConfiguration0">
            <cvParam accession="IMS:1000050" cvRef="IMS" name="position x" value="{x}"/>
            <cvParam accession="IMS:1000051" cvRef="IMS" name="position y" value="{y}"/>
            <cvParam accession="IMS:1000052" cvRef="IMS" name="position z" value="1"/>
          </scan>
        </scanList>
        <binaryDataArrayList count="2">
          <binaryDataArray encodedLength="0">
            <referenceableParamGroupRef ref="mzArray"/>
            <cvParam accession="IMS:1000103" cvRef="IMS" name="external array length" value="{k}"/>
            <cvParam accession="IMS:1000104" cvRef="IMS" name="external encoded length" value="{k8}"/>
            <cvParam accession="IMS:1000102" cvRef="IMS" name="external offset" value="{mz}"/>
            <binary/>
          </binaryDataArray>
          <binaryDataArray encodedLength="0">
            <referenceableParamGroupRef ref="intensityArray"/>
            <cvParam accession="IMS:1000103" cvRef="IMS" name="external array length" value="{k}"/>
            <cvParam accession="IMS:1000104" cvRef="IMS" name="external encoded length" value="{k4}"/>
            <cvParam accession="IMS:1000102" cvRef="IMS" name="external offset" value="{values}"/>
            <binary/>
          </binaryDataArray>
        </binaryDataArrayList>
      </spectrum>
"""  # noqa: E501 - the lines are as long as pyimzML's
TAIL = "    </spectrumList>\n  </run>\n</mzML>\n"

LAYOUTS = {
    "centroid": ("IMS:1000031", "processed"),
    "profile": ("IMS:1000031", "processed"),
    "continuous": ("IMS:1000030", "continuous"),
}
MODES = {
    "centroid": ("MS:1000127", "centroid"),
    "profile": ("MS:1000128", "profile"),
    "continuous": ("MS:1000128", "profile"),
}


class Recipe(NamedTuple):
    """A square slide: ``points`` per spectrum (on average, if they are centroids)."""

    kind: str
    side: int
    points: int


DATA_SETS = {
    "a": Recipe("continuous", 128, 8000),
    "b": Recipe("centroid", 256, 1024),
    "c": Recipe("profile", 64, 21630),
    "d": Recipe("centroid", 512, 40),
}
"""67 million peaks (b), 88 million points (c), 262,144 spectra (d)."""


def scaled(recipe: Recipe, scale: float) -> Recipe:
    """Return the same kind of slide with ``scale`` times the points."""
    if recipe.kind == "centroid":
        side = max(round(recipe.side * scale**0.5), 8)
        return recipe._replace(side=side)
    return recipe._replace(points=max(round(recipe.points * scale), 50))


def make_slide(folder: Path, name: str, recipe: Recipe) -> Path:
    """Write a slide of random spectra, the same each time; one that is there is kept."""
    kind, side, points = recipe
    path = folder / f"{name}_{kind}_{side}x{side}_{points}.imzML"
    if path.exists():
        return path
    layout, mode, identity = LAYOUTS[kind], MODES[kind], uuid.UUID(int=1)
    head = HEAD.format(
        layout=layout[0],
        layout_name=layout[1],
        mode=mode[0],
        mode_name=mode[1],
        uuid=identity,
        side=side,
        n=side * side,
    )
    partial = path.with_suffix(".partial")
    with partial.open("w") as xml, path.with_suffix(".ibd").open("wb") as ibd:
        xml.write(head)
        place, mz_place = ibd.write(identity.bytes), 16
        for i, (mz, values) in enumerate(made_up_spectra(recipe)):
            if i == 0 or kind != "continuous":
                mz_place, place = place, place + ibd.write(mz.tobytes())
            k, tic = mz.size, float(values.sum())
            numbers = {"k": k, "k8": 8 * k, "k4": 4 * k, "mz": mz_place, "values": place}
            position = {"i": i, "x": i % side + 1, "y": i // side + 1}
            xml.write(SPECTRUM.format(low=mz[0], high=mz[-1], tic=tic, **numbers, **position))
            place += ibd.write(values.tobytes())
        xml.write(TAIL)
    partial.rename(path)
    return path


def made_up_spectra(recipe: Recipe) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (m/z, intensities) of each spectrum; seed 0."""
    rng = np.random.default_rng(0)
    kind, side, points = recipe
    axis = np.linspace(600, 1000, points)
    step = axis[1] - axis[0]
    for _ in range(side * side):
        mz = axis
        if kind == "profile":
            mz = axis + step * rng.random()
        elif kind == "centroid":
            mz = np.sort(rng.uniform(300, 1500, int(rng.integers(points // 2, points * 3 // 2))))
        yield mz, rng.gamma(1, 100, mz.size).astype("<f4")
