"""What is kept secret, and what is not taken for a secret."""

from __future__ import annotations

import pytest

from autotune.errors import InputError
from autotune.redaction import Secrets, is_secret, without_login


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
