"""`bench compare`: a run compared with an earlier one, with a verdict where the figures allow one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...atomic import write_file
from ...errors import EXIT_CODES
from .options import share


def compare(
    first: Annotated[Path, typer.Argument(help="Run directory of the baseline.")],
    second: Annotated[Path, typer.Argument(help="Run directory that is compared with it.")],
    threshold: Annotated[
        str, typer.Option(help="Smallest change of the total time that counts: 5% or 0.05.")
    ] = "5%",
    force: Annotated[
        bool, typer.Option("--force", help="Also compare runs of different machines, without a verdict.")
    ] = False,
    output: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
) -> int:
    """Compare two stored runs of the same machine: is the second one slower, by its total time per video?

    Exit codes: 0 not slower, 3 slower, 4 no verdict, 2 an error (also: different machines), 1 a bug.
    """
    from tabulate import tabulate

    from ...reports.analysis.load_runs import read_run
    from ...reports.analysis.run_comparison import compare_runs
    from ...reports.formats.files import json_document
    from ...reports.tables.run_comparison import changes_table, document

    comparison = compare_runs(read_run(first), read_run(second), share("--threshold", threshold), force)
    table = changes_table(comparison)
    titles = [column.title for column in table.columns]
    alignment = [column.align for column in table.columns]
    print(tabulate(table.rows, headers=titles, colalign=alignment, disable_numparse=True))
    for note in table.notes:
        print(note)
    print(f"{comparison.verdict or 'no verdict'}: {comparison.reason}")
    if output is not None:
        write_file(output, json_document(document(comparison)))
    return EXIT_CODES[comparison.verdict or "inconclusive"]
