"""The command ``fastgd``: its subcommands, and the exit code and message of each error."""

from __future__ import annotations

import os
import sys

import click

from fastgd import __version__
from fastgd.errors import DivergedError, FastgdError
from fastgd.wording import speaking_in_flags

from .bench import bench
from .compare import compare
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
    try:
        with speaking_in_flags():
            code = cli.main(prog_name="fastgd", standalone_mode=False) or DONE
        sys.stdout.flush()  # here, so that a closed pipe is handled below
    except click.ClickException as error:
        error.show()
        code = WRONG
    except (click.Abort, KeyboardInterrupt):
        code = _fail("interrupted", INTERRUPTED)
    except DivergedError as error:
        code = _fail(str(error), FAILED)
    except FastgdError as error:
        code = _fail(str(error), WRONG)
    except BrokenPipeError:  # the reader, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DONE
    except MemoryError:
        code = _fail("the data does not fit into memory: use fewer rows or columns, or float32", FAILED)
    except Exception as error:  # a bug in fastgd: a traceback only on request
        if os.environ.get("FASTGD_TRACEBACK"):
            raise
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        code = _fail(f"internal error ({message}); set FASTGD_TRACEBACK=1 to see the traceback", FAILED)
    sys.exit(code)


def _fail(message: str, code: int) -> int:
    click.echo(f"fastgd: {message}", err=True)
    return code


if __name__ == "__main__":
    main()
