"""The methods, a file each. This file imports none of them: the choices of the command line must not load numba."""
