"""``python -m fastgd_cli``."""

from .main import main

main()
