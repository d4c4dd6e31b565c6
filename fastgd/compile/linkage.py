"""Kernels that run their own machine code, in the process that compiles them and in every one that loads them.

numba links each subroutine into a kernel as a weak symbol, and one process has one table of symbols: the first
definition of a name wins. In the process that compiles, that is the library of the subroutine itself; in one that loads
kernels from disk, the copy within whichever kernel was loaded first. These copies come from the same source but were
optimised apart, so their last bits differ. Here a kernel's copies are internal to it, and nothing else can take their
place. Linkage changes after optimisation, so that the code itself stays as it is.
"""

from __future__ import annotations

from typing import Any

from llvmlite.binding import Linkage
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

WEAK = (Linkage.linkonce_odr, Linkage.weak_odr)


class KernelLibrary(JITCodeLibrary):  # type: ignore[misc]  # numba ships no type hints
    """The machine code of one kernel, in which every function but its entry points is internal."""

    def _finalize_final_module(self) -> None:
        for function in self._final_module.functions:
            if function.linkage in WEAK:
                function.linkage = Linkage.internal
        super()._finalize_final_module()


class KernelCompiler(Compiler):  # type: ignore[misc]
    """numba's compiler, but for the library that a kernel's machine code goes into."""

    def compile_extra(self, func: Any) -> Any:
        self.state.library = KernelLibrary(self.state.targetctx.codegen(), func.__qualname__)
        self.state.library.enable_object_caching()
        return super().compile_extra(func)
