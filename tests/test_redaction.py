"""What is kept secret, and what is not taken for a secret."""

from __future__ import annotations

import base64
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autotune.errors import InputError
from autotune.redaction import (
    _TELLS_NOTHING,
    _WEAK,
    HIDDEN,
    Secrets,
    is_secret,
    without_login,
)


@pytest.mark.parametrize(
    "name",
    [
        "spark.hadoop.fs.s3a.access.key",
        "spark.hadoop.fs.s3a.secret.key",
        "spark.ssl.keyPassword",
        "spark.my.api-token",
        "spark.hadoop.google.cloud.auth.service.account.credentials",
        "AWS_SECRET_ACCESS_KEY",
    ],
)
def test_secret_by_name(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "spark.executor.memory",
        "spark.sql.shuffle.partitions",
        "spark.security.credentials.hive.enabled",
        "spark.io.compression.codec",
    ],
)
def test_not_secret_by_name(name: str) -> None:
    assert not is_secret(name)


def test_texts_are_freed_of_what_properties_and_arguments_hide() -> None:
    secrets = Secrets(
        {"spark.a.password": 'p"ss wörd', "spark.b": "kept"},
        ["--token", "t0ken-1", "--api-secret=t0ken-2", "--level", "kept", "{token}", "next"],
    )
    text = secrets.scrub(
        'p"ss wörd t0ken-1 t0ken-2 kept next "p\\"ss w\\u00f6rd" s3://u:pw@host/x'
    )
    assert text == '***** ***** ***** kept next "*****" s3://*****@host/x'


def test_short_values_do_not_blot_out_everything() -> None:
    assert Secrets({"spark.password": "a"}).scrub("banana") == "banana"


def test_own_expression() -> None:
    assert Secrets({"spark.redaction.regex": "(?i)codename"}).hides("spark.CodeName")
    with pytest.raises(InputError, match=r"spark\.redaction\.regex"):
        Secrets({"spark.redaction.regex": "["})


def test_logins_in_addresses() -> None:
    uri = "postgresql://me:secret@db:5432/x"
    assert without_login(uri) == "postgresql://*****@db:5432/x"
    assert without_login("http://host:5000/a@b") == "http://host:5000/a@b"


@pytest.mark.parametrize(
    "text",
    [
        "jdbc:postgresql://h/db?user=me&password=hunter2&ssl=true",
        "jdbc:sqlserver://h;user=me;password=hunter2;encrypt=true",
        "s3a://AKIAIOSFODNN7EXAMPLE:hun/ter2/hunter2+x@bucket/path",
        "mongodb://me:hunter2@h1,h2/db",
        "https://hunter2hunter2hunter2@github.com/x",
        "postgresql:/me:hunter2@h/x",
        "--password hunter2",
        "--password=hunter2 -p x",
        "-Djavax.net.ssl.keyStorePassword=hunter2 -Dx=y",
        "spark.my.token hunter2",
        "spark.my.token -> hunter2",
        '{"a": {"clientSecret": "hunter2"}}',
        '{\\"password\\": \\"hunter2\\"}',
        "{'api_key': 'hunter2'}",
        "Authorization: Bearer hunter2.hunter2",
        "AccountKey=hunter2;EndpointSuffix=core.windows.net",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter2 cut off",
    ],
)
def test_what_looks_secret_by_itself(text: str) -> None:
    shown = without_login(text)
    assert "hunter2" not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "text",
    [
        "spark.sql.shuffle.partitions=200",
        "tokens: 12, passwords: none",
        '{"spark.security.credentials.hive.enabled": "true", "token": null}',
        "/data/2026-01-01T10:00:00/part-0.parquet",
        "write to {output} with --token {token} or ${TOKEN}",
        "file:///a/b c/d",
        "java.lang.OutOfMemoryError: Java heap space at Job.scala:12",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert without_login(text) == text


def test_every_form_of_a_known_secret() -> None:
    secret = "p&ss/w+rd'1"
    secrets = Secrets({"spark.a.password": secret})
    login = base64.b64encode(f"me:{secret}".encode()).decode()
    for text in (secret, quote(secret, safe=""), quote_plus(secret), repr(f"<{secret}>"), login):
        assert HIDDEN in secrets.scrub(f"x {text} y")
    assert secrets.scrub(f"it said … {secret[4:]}") == f"it said … {HIDDEN}"
    assert secrets.scrub(f"{secret[5:]} was the end") == f"{HIDDEN} was the end"
    assert secrets.scrub(f"it began {secret[:8]} … and so on").startswith(f"it began {HIDDEN}")


def test_secrets_of_the_environment() -> None:
    secrets = Secrets(environment={"DB_PASSWORD": "hunter2", "TOKENIZERS_PARALLELISM": "false"})
    assert secrets.scrub("hunter2 false") == f"{HIDDEN} false"


def test_a_common_word_as_password_does_not_take_names_apart() -> None:
    secrets = Secrets({"spark.a.password": "spark"})
    text = 'spark.sql.x = 1; user "spark" was refused; spark-submit'
    assert secrets.scrub(text) == 'spark.sql.x = 1; user "*****" was refused; spark-submit'


def test_expressions_are_taken_as_java_means_them() -> None:
    secrets = Secrets(
        {
            "spark.redaction.regex": "foo|(?i)codename",
            "spark.redaction.string.regex": "card-[0-9]+",
            "spark.x": "my-CODENAME",
        }
    )
    assert secrets.hides("spark.CodeName")
    assert secrets.scrub("my-CODENAME paid with card-123") == f"{HIDDEN} paid with {HIDDEN}"
    data = {"spark.redaction.regex": "foo|(?i)codename", "spark.x": "my-CODENAME", "n": 1}
    assert secrets.scrubbed(data) == {**data, "spark.x": HIDDEN}


@pytest.mark.parametrize("option", ["--password", "-p", "--db-token"])
def test_arguments_are_hidden_by_their_place(option: str) -> None:
    words = (option, "hunter2", "--level", "3")
    secrets = Secrets(arguments=words)
    assert secrets.arguments(words) == (option, HIDDEN, "--level", "3")
    assert secrets.scrub("hunter2") == HIDDEN


def test_short_options_may_mean_a_port_or_a_place_to_fill_in() -> None:
    words = ("-p", "8080", "--token", "{token}", "-p", "{data}")
    assert Secrets(arguments=words).arguments(words) == words


@given(st.text(max_size=200), st.text(min_size=6, max_size=30))
def test_a_known_secret_is_never_left_over(text: str, secret: str) -> None:
    assume(not _TELLS_NOTHING.fullmatch(secret))
    assume(not _WEAK.fullmatch(secret))
    assume(secret not in HIDDEN + text)
    shown = Secrets({"spark.password": secret}, environment={}).scrub(text + secret + text)
    assert secret not in shown.replace(HIDDEN, "\0")
