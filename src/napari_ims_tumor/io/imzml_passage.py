"""The passage of an .imzML file that stands for one spectrum."""

from __future__ import annotations

from typing import Final

SPECTRUM: Final = """\
      <spectrum id="spectrum=%d" index="%d" defaultArrayLength="%d">
        <referenceableParamGroupRef ref="spectrum"/>
        <scanList count="1">
          <cvParam cvRef="MS" accession="MS:1000795" name="no combination"/>
          <scan>
            <cvParam cvRef="IMS" accession="IMS:1000050" name="position x" value="%d"/>
            <cvParam cvRef="IMS" accession="IMS:1000051" name="position y" value="%d"/>
{z}          </scan>
        </scanList>
        <binaryDataArrayList count="2">
          <binaryDataArray encodedLength="0">
            <referenceableParamGroupRef ref="mzArray"/>
            <cvParam cvRef="IMS" accession="IMS:1000102" name="external offset" value="%d"/>
            <cvParam cvRef="IMS" accession="IMS:1000103" name="external array length" value="%d"/>
            <cvParam cvRef="IMS" accession="IMS:1000104" name="external encoded length" value="%d"/>
            <binary/>
          </binaryDataArray>
          <binaryDataArray encodedLength="0">
            <referenceableParamGroupRef ref="intensityArray"/>
            <cvParam cvRef="IMS" accession="IMS:1000102" name="external offset" value="%d"/>
            <cvParam cvRef="IMS" accession="IMS:1000103" name="external array length" value="%d"/>
            <cvParam cvRef="IMS" accession="IMS:1000104" name="external encoded length" value="%d"/>
            <binary/>
          </binaryDataArray>
        </binaryDataArrayList>
      </spectrum>
"""
_Z: Final = (
    '            <cvParam cvRef="IMS" accession="IMS:1000052" name="position z" value="%d"/>\n'
)


def spectrum_text(has_z: bool) -> str:
    """Return the template of a spectrum, to be filled with :data:`SPECTRUM`'s numbers by ``%``.

    They are: number from 1, index from 0, length, x, y, (z,) and for each array offset, length and
    bytes.
    """
    return SPECTRUM.replace("{z}", _Z if has_z else "")
