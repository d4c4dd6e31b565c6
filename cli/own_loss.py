"""A loss of the user's own, given by its file, class and settings: ``my_losses.py:Cauchy:c=2``."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from fastgd.compile.term_code import is_term_class
from fastgd.data.readers.files import check_readable
from fastgd.errors import FastgdError, OptionError
from fastgd.losses import LOSSES
from fastgd.terms.registry import Registry
from fastgd.wording import hint, name_and_message

OWN_LOSS = re.compile(r"(?P<file>.*\.py)(?::(?P<name>[^:]*))?(?::(?P<settings>.*))?")


def read_loss(text: str) -> Any:
    """The term that ``FILE.py:Class`` names; other text is returned unchanged, for the library to read.

    Raises
    ------
    DataError
        When there is no such file.
    OptionError
        When the file raises an error, has no such term, or the term has no such setting.
    """
    found = OWN_LOSS.fullmatch(text)
    if found is None:
        return text
    path, name = found["file"], found["name"]
    module = _load(path)
    terms = [key for key, value in vars(module).items() if isinstance(value, type) and is_term_class(value)]
    if not name:
        raise OptionError(f"{path}: name the class of the loss after a colon; {hint('', terms)}")
    if not hasattr(module, name):
        raise OptionError(f"{path}: has no class {name!r}; {hint(name, terms)}")
    if name not in terms:
        raise OptionError(f"{path}: {name} is not a term; put @fastgd.term above its class")
    own = Registry(LOSSES.role, LOSSES.protocol, LOSSES.required, LOSSES.supplied)
    own.register(name)(getattr(module, name))
    with _naming_the_line(path, but_for=OptionError):
        return own.resolve(f"{name}:{found['settings'] or ''}")


class _Uncached(SourceFileLoader):
    """Reads the source each time and writes no ``__pycache__`` beside the user's files."""

    def path_stats(self, path: Any) -> Any:
        raise OSError(path)


def _load(path: str) -> ModuleType:
    """The file as a module. Its name is the same in every process, so that compiled kernels are found in the cache."""
    check_readable(path)
    name = f"own_{Path(path).stem}"
    loader = _Uncached(name, path)
    spec = spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # where a dataclass looks for the names in its annotations
    # What the file prints goes to standard error, so that results stay readable.
    with _beside(path), _naming_the_line(path), redirect_stdout(sys.stderr):
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return module


@contextmanager
def _naming_the_line(path: str, but_for: type[BaseException] = KeyboardInterrupt) -> Iterator[None]:
    """Report whatever the file raises, even what would end the process, as an error that names its line."""
    try:
        yield
    except (KeyboardInterrupt, but_for):
        raise
    except BaseException as error:
        raise OptionError(f"{path}: {_described(path, error)}; fix the file") from error


@contextmanager
def _beside(path: str) -> Iterator[None]:
    """Allow imports from the folder of the file, as in a script."""
    folder = str(Path(path).resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:  # the file may have changed it
            sys.path.remove(folder)


def fault_of_file(error: BaseException) -> str | None:
    """What a method in a user's file raised during training; None for an error from elsewhere.

    Without the line: machine code from the cache has the numbers of when it was compiled.
    """
    loaded = {file for module in sys.modules.values() if (file := _own_file(module)) is not None}
    raised_in = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    path = next((path for path in raised_in if path in loaded), None)
    return None if path is None else f"{path}: a method raises {name_and_message(error)}; fix the file"


def _own_file(module: ModuleType) -> str | None:
    loader = getattr(module, "__loader__", None)
    return str(loader.path) if isinstance(loader, _Uncached) else None


def _described(path: str, error: BaseException) -> str:
    """The error and the line of the file that caused it."""
    message = str(error) if isinstance(error, FastgdError) else name_and_message(error)
    if isinstance(error, SyntaxError):
        lines, message = [error.lineno] if error.filename == path else [], f"{type(error).__name__}: {error.msg}"
    else:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == path]
    first_line = message.strip().partition("\n")[0]
    return f"line {lines[-1]}: {first_line}" if lines else first_line
