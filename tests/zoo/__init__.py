"""A zoo of generated problems, each with its optimum by means of NumPy and SciPy alone, and a judge of fits.

`problems` generates them from seeds, `optimum` finds and proves F*, `judge` fits and compares, `run` does it for many
problems and writes docs/convergence.md, `show` does it for one. Only `judge` imports fastgd.
"""
