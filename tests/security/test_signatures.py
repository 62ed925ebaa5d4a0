import base64

import pytest

from orchestrator_app.security.signatures import (
    SECRET_PREFIX,
    Message,
    is_signed,
    new_signing_secret,
    signature,
)

# The example that the libraries of Standard Webhooks are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = 1_614_265_330
BODY = b'{"test": 2432232314}'
RIGHT = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def message(
    message_id: str = ID, timestamp: str = str(AT), signatures: str = RIGHT, body: bytes = BODY
) -> Message:
    return Message(message_id, timestamp, signatures, body)


def test_the_signature_is_that_of_the_specification():
    assert signature(SECRET, ID, str(AT), BODY) == RIGHT
    assert signature(SECRET.removeprefix(SECRET_PREFIX), ID, str(AT), BODY) == RIGHT


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_message_is_taken_within_five_minutes(seconds: int):
    assert is_signed(SECRET, message(), AT + seconds)


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_an_old_or_early_message_is_not_taken(seconds: int):
    assert not is_signed(SECRET, message(), AT + seconds)


def test_one_right_signature_among_several_is_enough():
    assert is_signed(SECRET, message(signatures=f"v1,bm9wZQ== v1a,xyz {RIGHT}"), AT)


@pytest.mark.parametrize(
    "wrong",
    [
        message(message_id=""),
        message(message_id="msg_other"),
        message(message_id="ⅿ" * 10),
        message(message_id="m" * 256),
        message(timestamp=""),
        message(timestamp="-1614265330"),
        message(timestamp="1614265330.0"),
        message(timestamp="١٦١٤٢٦٥٣٣٠"),
        message(timestamp="9" * 5_000),
        message(timestamp=str(AT + 1)),
        message(signatures=""),
        message(signatures=RIGHT.removeprefix("v1,")),
        message(signatures=RIGHT.replace("v1", "v2")),
        message(signatures=RIGHT[:-2] + "A="),
        message(signatures=RIGHT.upper()),
        message(signatures="v1,\udcff"),
        message(signatures=" ".join(["v1,bm9wZQ=="] * 10 + [RIGHT])),
        message(body=BODY + b" "),
        message(body=b""),
    ],
)
def test_whatever_is_altered_is_not_taken(wrong: Message):
    assert not is_signed(SECRET, wrong, AT)


def test_another_secret_does_not_open_it():
    assert not is_signed(new_signing_secret(), message(), AT)


def test_a_secret_has_256_random_bits_in_base64():
    first, second = new_signing_secret(), new_signing_secret()
    assert first != second
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32


def test_what_is_no_secret_is_told():
    with pytest.raises(ValueError, match="whsec_"):
        signature("whsec_?", ID, str(AT), BODY)
