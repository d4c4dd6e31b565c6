"""How Python becomes machine code: the decorators, the disk cache, terms as arguments of kernels."""
