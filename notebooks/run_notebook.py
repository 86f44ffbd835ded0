#!/usr/bin/env python3
"""Runs the experiment and executes first-light.ipynb on its results.

    run_notebook.py --build DIR [--pictures DIR]

Fails when a cell does or when no picture came out.  --pictures keeps the picture (docs/pictures is where the
documents look for it).
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import nbclient
import nbformat

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--pictures", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        results = pathlib.Path(scratch) / "results"
        subprocess.run([arguments.build.resolve() / "sim/cli/hvlab", "run", HERE.parent / "experiments/first-light.yaml",
                        "--quiet", "--out", results], check=True, stdout=subprocess.DEVNULL)
        pictures = (arguments.pictures or pathlib.Path(scratch)).resolve()
        os.environ.update(HVLAB_RESULTS=str(results), HVLAB_PICTURES=str(pictures), MPLBACKEND="agg")
        notebook = nbformat.read(HERE / "first-light.ipynb", as_version=4)
        if any(cell.get("outputs") for cell in notebook.cells):
            sys.exit("first-light.ipynb has outputs in it: clear them before committing")
        nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=str(HERE))
        picture = pictures / "first-light.png"
        if not picture.is_file() or not picture.read_bytes().startswith(b"\x89PNG"):
            sys.exit("the notebook drew no picture")
    print("first-light.ipynb: every cell ran")


if __name__ == "__main__":
    main()
