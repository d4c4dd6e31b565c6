"""Kernels that run their own machine code, in the process that compiles them and in every process that loads them.

numba links each subroutine into a kernel as a weak symbol, and a process has one symbol table: the first definition of
a name wins. In the process that compiles, that is the subroutine's own library; in a process that loads kernels from
disk, it is the copy in whichever kernel was loaded first. The copies come from the same source but were optimised
separately, so their last bits differ. Here a kernel's copies have internal linkage, so that no other definition can
replace them. Linkage changes after optimisation, so the code itself does not change.
"""

from __future__ import annotations

from typing import Any

import numba

try:
    from llvmlite.binding import Linkage
    from numba.core.codegen import JITCodeLibrary
    from numba.core.compiler import Compiler

    WEAK = (Linkage.linkonce_odr, Linkage.weak_odr)
    JITCodeLibrary._finalize_final_module, JITCodeLibrary.enable_object_caching, Compiler.compile_extra  # noqa: B018
except (ImportError, AttributeError) as error:
    raise ImportError(
        f"fastgd cannot compile kernels with numba {numba.__version__}, whose internals differ ({error}): "
        "install numba 0.61 to 0.68"
    ) from error


class KernelLibrary(JITCodeLibrary):  # type: ignore[misc]  # numba ships no type hints
    """The machine code of one kernel, in which every function but its entry points has internal linkage."""

    def _finalize_final_module(self) -> None:
        for function in self._final_module.functions:
            if function.linkage in WEAK:
                function.linkage = Linkage.internal
        super()._finalize_final_module()


class KernelCompiler(Compiler):  # type: ignore[misc]
    """numba's compiler with a `KernelLibrary` for the machine code."""

    def compile_extra(self, func: Any) -> Any:
        self.state.library = KernelLibrary(self.state.targetctx.codegen(), func.__qualname__)
        self.state.library.enable_object_caching()
        return super().compile_extra(func)
