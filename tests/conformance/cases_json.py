"""Section 4 of the contract: what the server says to bodies that are no JSON."""

from black_box import Conductor
from conformance_cases import case

ANY_VALUE = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
REDACTED = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: "
COMMENT = (
    "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for "
    "parser)"
)
BETWEEN = r"only regular white space (\r, \n, \t) is allowed between tokens"
NON_STANDARD = "enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
NO_PLUS = (
    "JSON spec does not allow numbers to have plus signs: "
    "enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow"
)
NO_DIGIT = "expected digit (0-9) to follow minus sign, for valid numeric value"
NO_DECIMAL = "in numeric value: Decimal point not followed by a digit"
NO_EXPONENT = "in numeric value: Exponent indicator not followed by a digit"
NO_HEX = "expected a hex-digit for character escape sequence"
TOO_LONG = "exceeds the maximum allowed (1000, from `StreamReadConstraints.getMaxNumberLength()`)"
ESCAPE_IT = "has to be escaped using backslash to be included in"
UNCLOSED = "Unexpected end-of-input: expected close marker for"

BROKEN_VALUES = {
    '{"a":}': "Unexpected character ('}' (code 125)): expected a value",
    '{"a":]}': f"Unexpected character (']' (code 93)): expected a valid value {ANY_VALUE}",
    '{"a":,}': "Unexpected character (',' (code 44)): expected a value",
    '{"a":[1,]}': "Unexpected character (']' (code 93)): expected a value",
    '{"a":*}': f"Unexpected character ('*' (code 42)): expected a valid value {ANY_VALUE}",
    '{"a":ä}': "Invalid UTF-8 start byte 0xa4",
    '{"a":tru': f"Unrecognized token 'tru': was expecting {ANY_VALUE}",
    '{"a":true1}': f"Unrecognized token 'true1': was expecting {ANY_VALUE}",
    '{"a":NaNx}': f"Unrecognized token 'NaNx': was expecting {ANY_VALUE}",
    '{"a":NaN}': f"Non-standard token 'NaN': {NON_STANDARD}",
    '{"a":-Infinity}': f"Non-standard token '-Infinity': {NON_STANDARD}",
    "[" + "x" * 257: f"Unrecognized token '{'x' * 256}...': was expecting {ANY_VALUE}",
}
BROKEN_NUMBERS = {
    '{"a":01}': "Invalid numeric value: Leading zeroes not allowed",
    '{"a":-01}': "Invalid numeric value: Leading zeroes not allowed",
    '{"a":+1}': f"Unexpected character ('+' (code 43)) in numeric value: {NO_PLUS}",
    '{"a":-a}': f"Unexpected character ('a' (code 97)) in numeric value: {NO_DIGIT}",
    '{"a":-I}': f"Unexpected character ('}}' (code 125)) in numeric value: {NO_DIGIT}",
    '{"a":-.5}': f"Unexpected character ('.' (code 46)): expected a valid value {ANY_VALUE}",
    '{"a":1.}': f"Unexpected character ('}}' (code 125)) {NO_DECIMAL}",
    '{"a":1.': f"Unexpected character ('.' (code 46)) {NO_DECIMAL}",
    '{"a":1e+}': f"Unexpected character ('}}' (code 125)) {NO_EXPONENT}",
    '{"a":' + "1" * 1001 + "}": f"Number value length (1001) {TOO_LONG}",
    '{"a":-0.' + "1" * 1000 + "}": f"Number value length (1001) {TOO_LONG}",
    "-": "Unexpected end-of-input in null",
    '{"a":-': "Unexpected end-of-input in FIELD_NAME",
    "[null,-": "Unexpected end-of-input in VALUE_NULL",
    '{"a":1x}': "Unexpected character ('x' (code 120)): was expecting comma to separate Object entries",
}
BROKEN_TEXTS = {
    '{"a': "Unexpected end-of-input in field name",
    '["x': "Unexpected end-of-input in VALUE_STRING",
    '{"a":"\\': "Unexpected end-of-input in character escape sequence",
    '{"a":"\\x"}': "Unrecognized character escape 'x' (code 120)",
    '{"a":"\\u12G4"}': f"Unexpected character ('G' (code 71)): {NO_HEX}",
    '{"a":"b\n"}': f"Illegal unquoted character ((CTRL-CHAR, code 10)): {ESCAPE_IT} string value",
    '{"a\x01":1}': f"Illegal unquoted character ((CTRL-CHAR, code 1)): {ESCAPE_IT} name",
}
BROKEN_CONTAINERS = {
    "{": f"{UNCLOSED} Object (start marker at {REDACTED}1, column: 1])",
    '{"a":[': f"{UNCLOSED} Array (start marker at {REDACTED}1, column: 6])",
    '{"a":[1,': "Unexpected end-of-input within/between Array entries",
    '{"a"': "Unexpected end-of-input within/between Object entries",
    "{a:1}": "Unexpected character ('a' (code 97)): was expecting double-quote to start field name",
    '{"a" 1}': "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
    '{"a":[null 2]}': "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries",
    '{"a":1,\n "ä":[1}': (
        f"Unexpected close marker '}}': expected ']' (for Array starting at {REDACTED}2, column: 7])"
    ),
    "]": f"Unexpected close marker ']': expected '}}' (for root starting at {REDACTED}1])",
    "/": f"Unexpected character ('/' (code 47)): {COMMENT}",
    "{\x01}": f"Illegal character ((CTRL-CHAR, code 1)): {BETWEEN}",
}


async def refused(conductor: Conductor, bodies: dict[str, str]) -> None:
    """Send bodies where a definition is expected, or with a bracket a list of them; compare what is said."""
    said = {}
    for body in bodies:
        reply = await conductor.request(
            "POST" if body.startswith("[") else "PUT",
            "/metadata/taskdefs",
            content=body.encode(),
            headers={"content-type": "application/json"},
        )
        assert reply.status == 500
        said[body] = reply.body["message"]
    assert said == {body: f"JSON parse error: {message}" for body, message in bodies.items()}


@case("4-500-broken-values")
async def _(conductor: Conductor) -> None:
    await refused(conductor, BROKEN_VALUES)


@case("4-500-broken-numbers")
async def _(conductor: Conductor) -> None:
    await refused(conductor, BROKEN_NUMBERS)


@case("4-500-broken-texts")
async def _(conductor: Conductor) -> None:
    await refused(conductor, BROKEN_TEXTS)


@case("4-500-broken-containers")
async def _(conductor: Conductor) -> None:
    await refused(conductor, BROKEN_CONTAINERS)
