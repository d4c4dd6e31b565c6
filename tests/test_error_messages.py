"""An error is one line that no terminal obeys, whatever names it quotes."""

from __future__ import annotations

import pytest

import fastgd

CODES = "a\x1b[31m\r\n\u202eb\x9b"
ESCAPES = r"a\x1b[31m\r\n\u202eb\x9b"


@pytest.mark.parametrize("error", [fastgd.FastgdError, fastgd.DataError, fastgd.OptionError, fastgd.DivergedError])
def test_messages_have_escapes(error):
    assert str(error(f"{CODES}: é, \N{NO-BREAK SPACE}, 数")) == f"{ESCAPES}: é, \N{NO-BREAK SPACE}, 数"


def test_message_about_a_path():
    with pytest.raises(fastgd.DataError) as caught:
        fastgd.open(f"{CODES}.csv")
    assert str(caught.value).startswith(f"{ESCAPES}.csv: ")
    with pytest.raises(fastgd.OptionError) as unknown:
        fastgd.fit([[1.0], [2.0]], [1.0, 2.0], loss=CODES)
    assert str(unknown.value).isprintable()
