"""Commands of brain perfusion: parse and call, nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from radrelay.errors import Misconfigured

Folder = Annotated[
    Path, typer.Argument(exists=True, file_okay=False, help="DICOM files of one study, in folders or not")
]
Out = Annotated[Path, typer.Option("-o", "--out", help="a folder that is new or empty")]
Parameters = Annotated[
    Path | None, typer.Option("--parameters", exists=True, help="constants and options by name, as JSON")
]
Set = Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE, one of them; VALUE as in JSON")]
Series = Annotated[list[str] | None, typer.Option("--series", help="UID of the perfusion's series, where several fit")]
Place = Annotated[list[str] | None, typer.Option(help="slice,row,column of a vessel, from 0; may be repeated")]


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)


def perfusion(
    folder: Folder,
    out: Out,
    parameters: Parameters = None,
    setting: Set = None,
    series: Series = None,
    artery: Place = None,
    vein: Place = None,
    no_motion: Annotated[bool, typer.Option("--no-motion", help="leave frames where they are")] = False,
    language: Annotated[str, typer.Option(help="of pictures and words: en or de")] = "en",
    rules: Annotated[Path | None, typer.Option(exists=True, help="a site's own rules for series")] = None,
    progress: Annotated[bool, typer.Option("--progress", help="tell the progress as lines of JSON")] = False,
) -> None:
    """Analyse brain perfusion of CT or MR: maps, volumes, segmentations and a report; for research use."""
    from radrelay.app.perfusion_commands import Wish, perfusion_command

    values: dict[str, object] = {}
    try:
        if parameters is not None:
            values |= json.loads(parameters.read_text(encoding="utf-8"))
        values |= {name: json.loads(value) for name, _, value in (one.partition("=") for one in setting or ())}
        for name, places in (("artery", artery), ("vein", vein)):
            if places:
                values[name] = [[int(number) for number in one.split(",")] for one in places]
    except (ValueError, TypeError) as error:
        raise Misconfigured(f"parameters: {error}") from error
    if no_motion:
        values["correct_motion"] = False
    _leave(perfusion_command(Wish(folder, out, values, series or (), language, rules, progress)))


def perfusion_phantom(
    out: Annotated[Path, typer.Argument(help="a folder that is new or empty")],
    modality: Annotated[str, typer.Option(help="CT or MR")] = "CT",
    noise: Annotated[float, typer.Option(help="in HU, or in units of the signal")] = 4.0,
    seed: Annotated[int, typer.Option(help="which lesion, where")] = 1,
    pixels: Annotated[int, typer.Option(min=64, max=512)] = 256,
    slices: Annotated[int, typer.Option(min=2, max=40)] = 12,
    frames: Annotated[int, typer.Option(min=4, max=120)] = 45,
    jog: Annotated[bool, typer.Option("--jog", help="two places of the table, scanned in turns")] = False,
    enhanced: Annotated[bool, typer.Option("--enhanced", help="one enhanced multi-frame object, of CT")] = False,
) -> None:
    """Write a digital phantom of a stroke as DICOM files, to try an installation with."""
    from radrelay.app.perfusion_commands import phantom_command

    _leave(
        phantom_command(
            out,
            modality=modality.upper(),
            noise=noise,
            seed=seed,
            pixels=pixels,
            slices=slices,
            frames=frames,
            jog=jog,
            enhanced=enhanced,
        )
    )
