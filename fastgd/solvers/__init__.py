"""The methods, a file each: solvers with `init` and `step` over a state that is a value; see `protocol`."""
