"""The command ``fastgd``: its subcommands, and the exit code and message of each error."""

from __future__ import annotations

import io
import os
import sys
import warnings

import click

from fastgd import __version__
from fastgd.errors import DivergedError, FastgdError
from fastgd.wording import name_and_message, speaking_in_flags

from . import streams
from .bench import bench
from .compare import compare
from .console import flush, is_of_output, remark, show_warning
from .evaluate import evaluate
from .generate import generate
from .info import info
from .lr_find import lr_find
from .plot import plot
from .predict import predict
from .run import run
from .search import search

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True})
@click.version_option(__version__, message="fastgd %(version)s")
def cli() -> None:
    """Gradient descent for linear and generalized linear models.

    Start with `fastgd run`, which trains on an artificial data set, or with `fastgd run FILE --target COLUMN`.
    """


for command in (run, predict, evaluate, compare, search, lr_find, plot, generate, bench, info):
    cli.add_command(command)


def main() -> None:
    """Run the command line; every failure is one line on standard error and an exit code."""
    streams.open_closed()
    try:
        with speaking_in_flags(), warnings.catch_warnings():
            warnings.showwarning = show_warning
            code = _run_command()
        flush()  # here, so that a closed pipe is handled below
    except click.ClickException as error:
        code = _fail_as_click(error)
    except (click.Abort, KeyboardInterrupt):
        code = _fail("interrupted", INTERRUPTED)
    except DivergedError as error:
        code = _fail(str(error), FAILED)
    except FastgdError as error:
        code = _fail(str(error), WRONG)
    except BrokenPipeError:  # the reader, such as `head`, has ended
        code = DONE
    except OSError as error:
        code = _fail_of_file(error)
    except MemoryError:
        code = _fail("the data does not fit into memory: use fewer rows or columns, or float32", FAILED)
    except BaseException as error:
        code = _fail_unexpectedly(error)
    streams.discard_rest()
    sys.exit(code)


def _run_command() -> int:
    streams_before = sys.stdout, sys.stderr
    try:
        return cli.main(prog_name="fastgd", standalone_mode=False) or DONE
    except SystemExit as ended:
        if sys.stdout is not streams_before[0]:  # where the reader has ended, click wraps the streams and exits
            sys.stdout, sys.stderr = streams_before
            raise BrokenPipeError from None
        if _fault_of_file(ended):
            raise
        return ended.code if isinstance(ended.code, int) else FAILED  # click exits after it has completed a word


def _fail_of_file(error: OSError) -> int:
    """Standard output that cannot be written to; other files have messages of their own where they are used."""
    if not is_of_output(error):
        return _fail_unexpectedly(error)
    return _fail(f"standard output cannot be written to ({error.strerror or error})", FAILED)


def _fail_unexpectedly(error: BaseException) -> int:
    """A fault in the file of a user's loss, or in fastgd itself: a traceback only on request."""
    if os.environ.get("FASTGD_TRACEBACK"):
        raise error
    if fault := _fault_of_file(error):
        return _fail(fault, WRONG)
    message = name_and_message(error).splitlines()[0]
    return _fail(f"internal error ({message}); set FASTGD_TRACEBACK=1 to see the traceback", FAILED)


def _fault_of_file(error: BaseException) -> str | None:
    from .own_loss import fault_of_file

    return fault_of_file(error)


def _fail(message: str, code: int) -> int:
    remark(f"fastgd: {message}")
    return code


def _fail_as_click(error: click.ClickException) -> int:
    text = io.StringIO()
    error.show(text)
    remark(text.getvalue().rstrip("\n"))
    return WRONG


if __name__ == "__main__":
    main()
