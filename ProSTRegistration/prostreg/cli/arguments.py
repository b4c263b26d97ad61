"""The command line's grammar. Imports nothing heavy, so that --help and typing errors answer at once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from prostreg import __version__
from prostreg.choices import AUTO, DEVICES, METHODS, POLARITIES, PROJECTORS, SIMULATOR_PRESETS, evaluated_methods
from prostreg.cli.calibrate.arguments import add_calibrate
from prostreg.errors import InputError
from prostreg.images.frames import Frames, frames_of_text

EXIT_CODES = (
    "exit codes: 0 done; 1 a defect; 2 bad input, every fault listed, nothing written; "
    "3 done but at least one result is not accepted; 4 stopped by the user or the time limit, best so far written"
)


class Parser(argparse.ArgumentParser):
    """Raises InputError instead of leaving the process."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[:1].upper()}{message[1:]}. `{self.prog} --help` shows what is possible.")


def make_parser() -> Parser:
    """The parser of all commands; ``command`` names the chosen one."""
    parser = Parser(
        prog="prostreg",
        description="2D/3D registration: finds where a CT lies with respect to a C-arm from its X-ray images.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"prostreg {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object on stdout and nothing else there")
    common.add_argument("--debug", action="store_true", help="show tracebacks and warnings")
    _add_register(commands, common)
    _add_track(commands, common)
    _add_case(commands, common)
    _add_drr(commands, common)
    _add_simulate(commands, common)
    help_text = "a camera file from beads of a phantom"
    add_calibrate(commands.add_parser("calibrate", parents=[common], help=help_text, description=help_text))
    _add_demo(commands, common)
    _add_train(commands, common)
    _add_adapt(commands, common)
    _add_evaluate(commands, common)
    _add_bench(commands, common)
    commands.add_parser("info", parents=[common], help="versions, devices, accelerators, weights")
    _add_worker(commands, common)
    return parser


def _add_register(commands: argparse._SubParsersAction[Parser], common: Parser) -> None:
    parser = commands.add_parser(
        "register",
        parents=[common],
        help="register one or more cases",
        epilog=EXIT_CODES,
        description="Registers each case and writes DIR/<name>/ with result.json, world_from_volume.tfm (for 3D"
        " Slicer), drr.nrrd (drr_2.nrrd ... for further views), overlay.png and report.html, a page of its own; of"
        " DICOM files also registration.dcm, a Spatial Registration. Several bones of a case get a folder each in it,"
        " and bones.json with how they moved against each other.",
    )
    parser.add_argument("cases", nargs="*", type=Path, metavar="CASE", help="case.json, or the folder it is in")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    _add_words_of_a_case(parser, "instead of CASE; the case file is written into DIR/<name>/ as well")
    parser.add_argument("--config", type=Path, metavar="FILE", help="JSON with registration settings")
    parser.add_argument("--method", choices=METHODS, help="how to search (default: auto)")
    parser.add_argument(
        "--restarts", type=_restarts, metavar="N|auto", help="CMA-ES runs; auto: as many as the score asks for"
    )
    parser.add_argument("--time-limit", type=_seconds, metavar="S", help="seconds per case, or bone of a case")
    parser.add_argument("--seed", type=_whole_number, metavar="N", help="equal seeds give equal results")
    parser.add_argument("--device", choices=DEVICES, help="where to compute (default: auto)")
    parser.add_argument(
        "--weights",
        metavar="auto|shipped|adapted|FILE",
        help="of the network (default: auto, adapted to this CT or else the shipped ones)",
    )


def _add_track(commands: argparse._SubParsersAction[Parser], common: Parser) -> None:
    parser = commands.add_parser(
        "track",
        parents=[common],
        help="follow the anatomy through a run of frames",
        epilog=EXIT_CODES,
        description="Registers one frame of a DICOM run, then finds the anatomy in the frames before and behind it."
        " Writes DIR/<name>/ with track.json, track.csv, track.tra (as Autoscoper has it) and track.png, and the first"
        " frame's result in first_frame/. The C-arm is the same in all frames.",
    )
    parser.add_argument(
        "case", type=Path, metavar="CASE", help="case.json, or the folder it is in; its X-rays are runs"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--frames", type=_frames, metavar="N-M", help="to be tracked (default: all)")
    parser.add_argument(
        "--first-frame", type=_count, metavar="N", help="to be registered (default: the case's \"frame\", or the run's)"
    )
    parser.add_argument("--transforms", action="store_true", help="write each pose as .tfm for 3D Slicer as well")
    parser.add_argument("--config", type=Path, metavar="FILE", help="JSON with registration settings")
    parser.add_argument("--time-limit", type=_seconds, metavar="S", help="seconds for the run (default: none)")
    parser.add_argument("--seed", type=_whole_number, metavar="N", help="equal seeds give equal results")
    parser.add_argument("--device", choices=DEVICES, help="where to compute (default: auto)")
    parser.add_argument("--weights", metavar="auto|shipped|adapted|FILE", help="of the network, for the first frame")


def _add_case(commands: argparse._SubParsersAction[Parser], common: Parser) -> None:
    parser = commands.add_parser(
        "case",
        parents=[common],
        help="write a case file from a CT and its X-rays",
        description="Reads the files, and writes the case.json that `prostreg register` takes. What an X-ray's DICOM"
        " tags tell need not be said. readings.png beside it shows what is taken of each X-ray.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="case.json, or a folder for it")
    _add_words_of_a_case(parser, "the case")


def _add_words_of_a_case(parser: Parser, title: str) -> None:
    words = parser.add_argument_group("a CT and its X-rays", title)
    words.add_argument("--ct", type=Path, metavar="FILE|FOLDER", help="NIfTI, NRRD, MHA, or a DICOM folder; HU")
    xray = words.add_argument("--xray", type=Path, nargs="+", default=[], metavar="FILE|FOLDER")
    xray.help = "one for each view; a folder holds a DICOM run with a file for each frame"
    words.add_argument(
        "--frame",
        type=_frames,
        nargs="+",
        default=[],
        metavar="N|N-M",
        help="of DICOM runs: one for all X-rays or one for each; N-M is the mean of still frames"
        " (default: the one that the run calls representative, or the middle one)",
    )
    words.add_argument("--labels", type=Path, metavar="FILE", help="label map of the bone (default: bone by threshold)")
    words.add_argument("--values", type=_whole_number, nargs="+", metavar="VALUE", help="of the bone in the label map")
    words.add_argument(
        "--bone",
        type=_bone,
        action="append",
        default=[],
        dest="bones",
        metavar="NAME=VALUES",
        help="instead of --values: a bone that moves against others, such as 'pelvis=25,77,78'; once for each",
    )
    words.add_argument(
        "--keep-joints",
        action="store_true",
        default=None,
        help="bones that are neighbours in the CT stay together in their joints, as far as the images leave that open",
    )
    words.add_argument("--sdd", type=_millimetres, metavar="MM", help="distance from source to detector")
    words.add_argument(
        "--pixel-mm", type=_millimetres, nargs="+", metavar="MM", help="pixel on the detector: along columns [and rows]"
    )
    words.add_argument("--preset", metavar="NAME", help="a usual device instead: a part of its name, such as '9 inch'")
    words.add_argument(
        "--camera",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="one per X-ray: JSON with size, and K and camera_from_world or a 3x4 matrix P; OpenCV's YAML; a MayaCam;"
        " 3 rows of 4 numbers",
    )
    roughly = "where further cameras stand against the first is known to some degrees and a centimetre: find it out"
    words.add_argument("--rough-relation", action="store_true", default=None, help=roughly)
    words.add_argument("--polarity", choices=POLARITIES, help="of all X-rays (default: found out)")
    words.add_argument(
        "--flip",
        action=argparse.BooleanOptionalAction,
        help="X-rays are stored mirrored (default: by their tags)",
    )
    words.add_argument("--initial", type=Path, metavar="FILE", help="start pose: .tfm, .h5, .json or .txt")
    words.add_argument("--name", metavar="NAME", help="of the case (default: the X-ray's)")


def _add_drr(commands: argparse._SubParsersAction[Parser], common: Parser) -> None:
    parser = commands.add_parser(
        "drr",
        parents=[common],
        help="render a DRR for one of a case's views",
        description="Renders the case's CT as one of its views would see it: line integrals of the attenuation,"
        " float32 (.nrrd, .mha, .nii.gz, .tif), 8-bit grey, bone bright (.png), or of a DICOM CT a Secondary Capture"
        " in its study (.dcm).",
    )
    parser.add_argument("case", type=Path, metavar="CASE", help="case.json, or the folder it is in")
    parser.add_argument(
        "--pose",
        type=Path,
        required=True,
        metavar="FILE",
        help="world_from_volume: .tfm or .h5 (3D Slicer), .json (a result.json, say), .txt (4x4 numbers)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="IMAGE", help="image to write")
    parser.add_argument("--projector", choices=[AUTO, *PROJECTORS], default="auto", help="default: auto")
    parser.add_argument("--view", type=_count, default=1, metavar="N", help="1 is the case's first view (default)")
    parser.add_argument("--anatomy", action="store_true", help="render the registered anatomy only")


def _add_simulate(commands: argparse._SubParsersAction[Parser], common: Parser) -> None:
    parser = commands.add_parser(
        "simulate",
        parents=[common],
        help="simulate a realistic X-ray of a CT",
        description="Simulates a fluoroscopy image: tube spectrum, scatter, blur, noise and what the preset adds."
        " 16 or 8 bits, bone dark or bright, as drawn from the settings; --json says which.",
    )
    parser.add_argument("ct", type=Path, metavar="CT", help="NIfTI, NRRD, MHA, or a DICOM folder; HU")
    parser.add_argument(
        "--camera", type=Path, required=True, metavar="FILE", help="a case.json, or a file as for `prostreg case`"
    )
    parser.add_argument(
        "--pose", type=Path, required=True, metavar="FILE", help="world_from_volume: .tfm, .h5, .json or .txt"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="IMAGE", help=".tif, .png, .mha or .nrrd")
    parser.add_argument("--seed", type=_whole_number, default=0, metavar="N", help="equal seeds give equal images")
    parser.add_argument("--preset", choices=SIMULATOR_PRESETS, default="paper", help="default: paper")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="JSON with settings that differ from the preset")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="label map in which the femora are")
    parser.add_argument("--femora", type=_whole_number, nargs="+", metavar="VALUE", help="label value of each femur")
    parser.add_argument("--view", type=_count, default=1, metavar="N", help="of a case.json: 1 is the first (default)")


def _add_demo(commands: argparse._SubParsersAction[Parser], common: Parser) -> None:
    parser = commands.add_parser(
        "demo",
        parents=[common],
        help="the main job on sample data",
        epilog=EXIT_CODES,
        description="Simulates a fluoroscopy of a sample CT's spine, starts 15 degrees and 20 to 40 mm off,"
        " registers, and writes the case, the result, the overlay and a scene for 3D Slicer.",
    )
    parser.add_argument("--out", type=Path, default=Path("demo-output"), metavar="DIR", help="default: demo-output")
    parser.add_argument("--phantom", action="store_true", help="use a generated phantom; needs no download")
    parser.add_argument("--seed", type=_whole_number, default=0, metavar="N", help="of pose, noise and search")


def _add_train(commands: argparse._SubParsersAction[Parser], common: Parser) -> None:
    parser = commands.add_parser(
        "train",
        parents=[common],
        help="train a network for all patients",
        epilog="exit codes: 0 trained, and the weights written; 1 a defect; 2 bad input, every fault listed, nothing"
        " written; 4 stopped: run the same command again to go on",
        description="Trains a network on simulated X-rays of many CTs. DIR gets checkpoints, curves (CSV, and"
        " TensorBoard where it is installed) and, at the end, the weights with their card and figures. After a stop or"
        " a kill the same command goes on where it was. On several machines: torchrun -m prostreg train ...",
    )
    parser.add_argument("config", metavar="CONFIG", help="a JSON file, or the name of a shipped one")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="folder with the CTs of the list of patients; may be given more than once",
    )
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to compute (default: auto)")
    parser.add_argument(
        "--devices", type=_count, metavar="N", help="processes that share the work, one per GPU (default: 1)"
    )


def _add_adapt(commands: argparse._SubParsersAction[Parser], common: Parser) -> None:
    parser = commands.add_parser(
        "adapt",
        parents=[common],
        help="adapt the network to one patient's CT",
        description="Trains the network on simulated X-rays of the case's CT and keeps what did best on others of the"
        " same CT. Registrations of this CT and anatomy find the weights by themselves.",
    )
    parser.add_argument("case", type=Path, metavar="CASE", help="case.json, or the folder it is in; views may be empty")
    parser.add_argument("--minutes", type=_minutes, default=10.0, metavar="M", help="of training (default: 10)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="to begin with (default: the shipped ones)")
    parser.add_argument(
        "--foreign-weights", action="store_true", help="begin with weights of another patient all the same"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="weights to write (default: in the user's cache)")
    parser.add_argument("--seed", type=_whole_number, default=0, metavar="N", help="of X-rays and poses")


def _add_evaluate(commands: argparse._SubParsersAction[Parser], common: Parser) -> None:
    parser = commands.add_parser(
        "evaluate",
        parents=[common],
        help="run a protocol over methods",
        epilog="exit codes: 0 the evaluation is complete; 1 a defect; 2 bad input, every fault listed, nothing written;"
        " 4 stopped: run the same command again to go on",
        description="Registers every case of a protocol with every method and writes results.jsonl (one row each),"
        " table.md, figures and a sheet of the worst cases. After a stop the same command goes on where it was; on a"
        " finished --out it makes table and figures again.",
    )
    parser.add_argument("--list", action="store_true", help="show the protocols, and do nothing else")
    parser.add_argument("--protocol", metavar="NAME|FILE", help="one of --list, or a protocol file of your own")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--cases",
        type=Path,
        metavar="DIR",
        help="folder with the protocol's data; if it holds case.json files (in it, or one level down), those cases are"
        " evaluated instead",
    )
    parser.add_argument("--methods", type=_methods, metavar="A,B", help="default: the protocol's")
    parser.add_argument("--number", type=_count, metavar="N", help="of cases (default: the protocol's)")
    parser.add_argument("--seed", type=_whole_number, metavar="S", help="fresh cases (default: the protocol's)")
    parser.add_argument(
        "--dask", metavar="local|ADDRESS", help="on processes of this machine, or on a cluster as tcp://host:8786"
    )
    parser.add_argument("--workers", type=_count, metavar="N", help="processes of --dask local (default: one per core)")


def _add_bench(commands: argparse._SubParsersAction[Parser], common: Parser) -> None:
    parser = commands.add_parser("bench", help="measure speed beside the peers that are installed")
    benchmarks = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    drr = benchmarks.add_parser("drr", parents=[common], help="DRRs, with and without pose derivative")
    drr.add_argument("--out", type=Path, metavar="FILE", help="write the measurements as JSON")


def _add_worker(commands: argparse._SubParsersAction[Parser], common: Parser) -> None:
    parser = commands.add_parser("worker", parents=[common], help="the process that 3D Slicer talks to")
    parser.add_argument("--connect", metavar="HOST:PORT", help="connect to a waiting client and end with it")
    parser.add_argument("--listen", metavar="HOST:PORT", help="wait for clients, for a worker on another machine")


def _methods(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in evaluated_methods()]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"'{', '.join(unknown)}' is unknown: choose among {', '.join(evaluated_methods())}"
        )
    return names


def _restarts(text: str) -> int | str:
    return text if text == "auto" else _count(text)


def _count(text: str) -> int:
    number = _whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _whole_number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def _frames(text: str) -> Frames:
    frames = frames_of_text(text)
    if frames is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no frame: give a number from 1 on, or two as 3-7")
    return frames


def _bone(text: str) -> tuple[str, list[int]]:
    name, _, values = text.rpartition("=")
    if not name.strip():
        raise argparse.ArgumentTypeError(f"'{text}' is no bone: give its name and values, as in pelvis=25,77,78")
    return name, [_whole_number(value) for value in values.split(",")]


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds") from None
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return seconds


def _millimetres(text: str) -> float:
    try:
        return _seconds(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number of millimetres") from None


def _minutes(text: str) -> float:
    try:
        return _seconds(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number of minutes") from None
