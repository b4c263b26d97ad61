"""Weights: what is saved is what is loaded, and whatever is wrong with a file is said in words."""

import hashlib
import json
import os
import pickle
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from prostreg.cli.info import weights_entry
from prostreg.errors import InputError, WeightsError
from prostreg.prost.card import Card, DataSource, MadeFor, Training, card_path
from prostreg.prost.network import ProSTNetwork
from prostreg.prost.networks import NETWORKS, make_network
from prostreg.prost.shipped import all_shipped, shipped_weights, shipping_faults
from prostreg.prost.weights import load_network, load_weights, save_weights


class Tiny(ProSTNetwork):
    """Convolutions and a buffer, as small as can be."""

    def __init__(self, channels=2, image_size=8):
        super().__init__()
        if image_size % 8:
            raise InputError(f"Images of {image_size} pixels cannot be halved three times.")
        self.feature_channels, self.image_size = channels, image_size
        self.volume_layer = torch.nn.Conv3d(1, channels, 3, padding=1)
        self.xray_layer = torch.nn.Conv2d(1, channels, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(channels)

    def volume_features(self, attenuation):
        return self.volume_layer(attenuation)

    def fixed_features(self, xray):
        return (self.norm(self.xray_layer(xray)),)

    def similarity(self, moving, fixed):
        return (moving - fixed[0]).square().mean(dim=(1, 2, 3))


MAKERS = {"tiny": Tiny}
OPTIONS = {"channels": 3, "image_size": 8}
CARD = Card(
    title="Tiny network",
    training_data=(DataSource("pelvis-1", "a public collection", "CC BY 4.0"),),
    held_out_data=(DataSource("pelvis-2", "a public collection", "CC BY 4.0"),),
    configuration={"learning_rate": 1e-4, "volumes": ["pelvis-1"]},
    commit="0123abc",
    training=Training(100, 12.5, "CPU, 2 cores", (3.0, 2.5, 2.0)),
    results={"prost-pelvis": {"success_percent": 80.0}},
    intended_use="Tests.",
    not_for="Patients.",
    licence="Apache-2.0",
)
PATIENT = MadeFor("a" * 64, "b" * 64)


@pytest.fixture
def network():
    torch.manual_seed(4)
    return Tiny(**OPTIONS)


@pytest.fixture
def weights(tmp_path, network):
    path = tmp_path / "models" / "tiny.safetensors"
    save_weights(path, network, "tiny", OPTIONS, CARD)
    return path


def edit_card(weights, **changes):
    content = json.loads(card_path(weights).read_text(encoding="utf-8"))
    content.update(changes)
    card_path(weights).write_text(json.dumps({k: v for k, v in content.items() if v is not None}), encoding="utf-8")


def write_raw(weights, tensors, **description):
    """A file of weights that save_weights would not write, with a card that fits it."""
    said = {"format": 1, "network": "tiny", "options": OPTIONS, "kind": "shipped", "made_for": None, **description}
    save_file(tensors, weights, metadata={"prostreg": json.dumps(said)})
    edit_card(weights, sha256=hashlib.sha256(weights.read_bytes()).hexdigest(), network=said["network"])


def fault_of(call, *arguments):
    with pytest.raises(WeightsError) as caught:
        call(*arguments)
    return str(caught.value)


class TestRoundTrip:
    def test_the_loaded_network_computes_the_same(self, weights, network):
        loaded, card = load_network(weights, MAKERS)
        assert isinstance(loaded, Tiny)
        assert not loaded.training
        network.eval()
        volume, xray = torch.rand(1, 1, 4, 4, 4), torch.rand(2, 1, 8, 8)
        assert torch.equal(loaded.volume_features(volume), network.volume_features(volume))
        moving = torch.rand(2, 3, 8, 8)
        expected = network.similarity(moving, network.fixed_features(xray))
        assert torch.equal(loaded.similarity(moving, loaded.fixed_features(xray)), expected)
        assert card.network == "tiny"

    def test_card_and_options_come_back(self, weights, network):
        loaded = load_weights(weights)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        assert loaded.card == replace(CARD, network="tiny", parameters=parameters, sha256=digest)
        assert loaded.card.kind == "shipped"
        assert (loaded.network_name, loaded.options) == ("tiny", OPTIONS)

    def test_adapted_weights_name_their_patient_in_file_and_card(self, tmp_path, network):
        path = tmp_path / "adapted.safetensors"
        save_weights(path, network, "tiny", OPTIONS, replace(CARD, made_for=PATIENT))
        assert load_weights(path).card.made_for == PATIENT
        assert load_weights(path).card.kind == "adapted"
        assert PATIENT.ct.encode() in path.read_bytes()

    def test_same_weights_give_the_same_file(self, weights, network, tmp_path):
        for n in range(5):
            again = tmp_path / f"again-{n}.safetensors"
            save_weights(again, network, "tiny", OPTIONS, CARD)
            assert again.read_bytes() == weights.read_bytes()

    def test_loading_leaves_random_numbers_alone(self, weights):
        torch.manual_seed(7)
        expected = torch.rand(3)
        torch.manual_seed(7)
        load_network(weights, MAKERS)
        assert torch.equal(torch.rand(3), expected)

    def test_half_precision_is_loaded_into_full(self, weights, network):
        write_raw(weights, {name: tensor.half() for name, tensor in network.state_dict().items()})
        loaded, _ = load_network(weights, MAKERS)
        assert loaded.volume_layer.weight.dtype == torch.float32
        assert torch.allclose(loaded.volume_layer.weight, network.volume_layer.weight, atol=1e-3)

    def test_nothing_but_the_two_files_is_left(self, weights, network):
        save_weights(weights, network, "tiny", OPTIONS, CARD)
        assert sorted(file.name for file in weights.parent.iterdir()) == ["tiny.json", "tiny.safetensors"]

    def test_weights_stay_usable_after_the_file_is_replaced(self, weights, network):
        before = load_weights(weights)
        kept = {name: tensor.clone() for name, tensor in before.state.items()}
        save_weights(weights, Tiny(**OPTIONS), "tiny", OPTIONS, CARD)
        assert all(torch.equal(before.state[name], kept[name]) for name in kept)


class TestSaving:
    def test_every_reason_not_to_save_is_named_and_the_old_file_kept(self, weights, network):
        old = weights.read_bytes()
        with torch.no_grad():
            network.xray_layer.weight[0, 0, 0, 0] = float("nan")
        card = replace(CARD, results={"loss": float("inf")})
        text = fault_of(save_weights, weights, network, "tiny", {"channels": Tiny}, card)
        assert "xray_layer.weight" in text
        assert "options hold what JSON cannot" in text
        assert "card holds what JSON cannot" in text
        assert weights.read_bytes() == old
        assert len(list(weights.parent.iterdir())) == 2

    def test_an_empty_word_on_the_card_is_refused(self, weights, network):
        text = fault_of(save_weights, weights, network, "tiny", OPTIONS, replace(CARD, not_for="", licence=" "))
        assert '"not_for"' in text
        assert '"licence"' in text

    def test_a_name_with_another_ending_is_refused(self, tmp_path, network):
        assert ".safetensors" in fault_of(save_weights, tmp_path / "w.pt", network, "tiny", OPTIONS, CARD)
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path, network):
        (tmp_path / "file").write_text("")
        path = tmp_path / "file" / "w.safetensors"
        assert "choose another folder" in fault_of(save_weights, path, network, "tiny", OPTIONS, CARD)


class TestFile:
    def test_a_missing_file(self, tmp_path):
        assert "There is no such file" in fault_of(load_weights, tmp_path / "none.safetensors")

    def test_a_folder(self, weights):
        assert "cannot be read" in fault_of(load_weights, weights.parent)

    @pytest.mark.skipif(sys.platform == "win32", reason="pipes have no names in folders there")
    def test_a_pipe(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.safetensors")
        assert "it is a pipe or a device and no file" in fault_of(load_weights, tmp_path / "pipe.safetensors")

    def test_every_way_of_cutting_it_off(self, weights):
        content = weights.read_bytes()
        for size in [*range(0, len(content), 37), len(content) - 1]:
            weights.write_bytes(content[:size])
            assert "cut off" in fault_of(load_weights, weights), size

    def test_any_changed_byte(self, weights):
        content = weights.read_bytes()
        for place in range(0, len(content), 29):
            weights.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
            assert "cannot be used: " in fault_of(load_weights, weights), place

    def test_bytes_after_the_end(self, weights):
        weights.write_bytes(weights.read_bytes() + b"more")
        assert "damaged" in fault_of(load_weights, weights)

    def test_a_checkpoint_is_named_and_never_opened(self, weights, network, tmp_path):
        class Trap:
            def __reduce__(self):
                return (tmp_path.joinpath("opened").touch, ())

        torch.save(network.state_dict(), weights)
        assert "PyTorch checkpoint" in fault_of(load_weights, weights)
        for protocol in (2, 3, 4, 5):
            weights.write_bytes(pickle.dumps([Trap(), "x" * 50], protocol=protocol))
            assert "pickle" in fault_of(load_weights, weights)
        assert not (tmp_path / "opened").exists()

    @pytest.mark.parametrize(
        "content", [b"version https://git-lfs.github.com/spec/v1\n", b"\x89HDF\r\n\x1a\n" + b"0" * 99]
    )
    def test_another_format(self, weights, content):
        weights.write_bytes(content)
        assert "not in the safetensors format" in fault_of(load_weights, weights)

    def test_the_card_in_place_of_the_weights(self, weights):
        assert "not in the safetensors format" in fault_of(load_weights, card_path(weights))

    def test_safetensors_of_another_program(self, weights):
        save_file({"layer": torch.zeros(3)}, weights)
        assert "not one of prostreg's" in fault_of(load_weights, weights)

    @pytest.mark.parametrize(
        "header", [b"{]", b'{"a": 3}', b'{"a": {"data_offsets": [0, 1e999]}}', b'{"a": ' + b"[" * 99_999]
    )
    def test_a_header_of_nonsense(self, weights, header):
        weights.write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
        assert "damaged" in fault_of(load_weights, weights)

    def test_a_newer_format(self, weights, network):
        write_raw(weights, network.state_dict(), format=2)
        text = fault_of(load_weights, weights)
        assert "format 2" in text
        assert "update prostreg" in text

    def test_metadata_of_nonsense(self, weights, network):
        write_raw(weights, network.state_dict(), format="new", options=[1], kind="stolen")
        text = fault_of(load_weights, weights)
        for word in ("format", "options", "kind"):
            assert word in text
        save_file(network.state_dict(), weights, metadata={"prostreg": "{"})
        assert "metadata is damaged" in fault_of(load_weights, weights)

    def test_numbers_that_are_not_finite(self, weights, network):
        state = network.state_dict()
        state["norm.bias"][0] = float("inf")
        state["xray_layer.weight"][0] = float("nan")
        write_raw(weights, state)
        text = fault_of(load_weights, weights)
        assert "not finite, in norm.bias, xray_layer.weight" in text


class TestFileAndCard:
    def test_a_missing_card(self, weights):
        card_path(weights).unlink()
        assert "tiny.json does not exist: check the path. Copy it again" in fault_of(load_weights, weights)

    def test_the_card_of_other_weights(self, weights, network, tmp_path):
        other = tmp_path / "other.safetensors"
        save_weights(other, Tiny(**OPTIONS), "tiny", OPTIONS, CARD)
        card_path(other).replace(card_path(weights))
        text = fault_of(load_weights, weights)
        assert "SHA256" in text
        assert hashlib.sha256(weights.read_bytes()).hexdigest()[:12] in text

    def test_a_card_cannot_give_weights_to_another_patient(self, tmp_path, network):
        path = tmp_path / "adapted.safetensors"
        save_weights(path, network, "tiny", OPTIONS, replace(CARD, made_for=PATIENT))
        edit_card(path, made_for={"ct": "c" * 64, "anatomy": PATIENT.anatomy})
        assert "same patient" in fault_of(load_weights, path)
        edit_card(path, kind="shipped", network="large")
        text = fault_of(load_weights, path)
        assert "same patient" in text
        assert "'large'" in text

    def test_faults_of_file_and_card_come_together(self, weights):
        weights.write_bytes(weights.read_bytes()[:-10])
        edit_card(weights, commit=None)
        text = fault_of(load_weights, weights)
        assert "cut off" in text
        assert '"commit"' in text


class TestNetwork:
    def test_an_unknown_network_suggests_a_known_one(self, weights):
        text = fault_of(load_network, weights, {"tinny": Tiny})
        assert "no network 'tiny': did you mean \"tinny\"?" in text
        assert str(weights) in text

    @pytest.mark.parametrize("options", [{"chanels": 3}, {"channels": -1}, {"channels": "three"}, {"image_size": 9}])
    def test_options_that_the_network_does_not_take(self, options):
        text = fault_of(make_network, "tiny", options, MAKERS)
        assert "cannot be made with these options" in text
        assert str(next(iter(options.values()))) in text
        assert "- " not in text

    def test_tensors_that_do_not_fit_are_all_named(self, weights, network):
        state = network.state_dict()
        del state["norm.bias"]
        state["extra"] = torch.zeros(2)
        state["xray_layer.weight"] = torch.zeros(3, 1, 5, 5)
        write_raw(weights, state)
        text = fault_of(load_network, weights, MAKERS)
        assert "lack norm.bias" in text
        assert "no extra" in text
        assert "xray_layer.weight (3x1x5x5 instead of 3x1x3x3)" in text

    def test_options_of_another_size(self, weights, network):
        write_raw(weights, network.state_dict(), options={"channels": 5})
        assert "Of another shape" in fault_of(load_network, weights, MAKERS)

    def test_a_size_that_no_number_holds_is_refused(self):
        assert "cannot be made with these options" in fault_of(make_network, "prost-light", {"image_size": 2e155})

    @pytest.mark.parametrize("name", sorted(NETWORKS))
    def test_every_network_there_is_can_be_saved_and_loaded(self, tmp_path, name):
        network = make_network(name, {})
        save_weights(tmp_path / "w.safetensors", network, name, {}, CARD)
        loaded, _ = load_network(tmp_path / "w.safetensors")
        assert type(loaded) is type(network)
        for key, tensor in network.state_dict().items():
            assert torch.equal(loaded.state_dict()[key], tensor)


class TestShipping:
    def test_what_this_package_ships_may_be_shipped(self):
        assert shipping_faults() == []
        assert shipped_weights() in [None, *all_shipped()]

    def test_good_weights_may_be_shipped(self, weights):
        assert shipping_faults(weights.parent, MAKERS) == []

    def test_more_than_16_megabytes_are_too_much_to_ship_but_load(self, tmp_path):
        options = {"channels": 150_000}
        save_weights(tmp_path / "large.safetensors", Tiny(**options), "tiny", options, CARD)
        assert load_weights(tmp_path / "large.safetensors").card.parameters > 4_000_000
        assert any("16 MB is the most" in fault for fault in shipping_faults(tmp_path, MAKERS))

    def test_adapted_or_unmeasured_weights_are_not_shipped(self, tmp_path, network):
        card = replace(CARD, made_for=PATIENT, results={}, held_out_data=())
        save_weights(tmp_path / "tiny.safetensors", network, "tiny", OPTIONS, card)
        faults = shipping_faults(tmp_path, MAKERS)
        assert len(faults) == 3
        assert "one patient" in faults[0]

    def test_damaged_weights_are_not_shipped(self, weights):
        weights.write_bytes(weights.read_bytes()[:-1])
        assert "cut off" in shipping_faults(weights.parent, MAKERS)[0]


class TestInfo:
    def test_the_card_in_short(self, weights):
        entry = weights_entry(weights)
        assert entry["name"] == "tiny"
        assert entry["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
        assert entry["parameters"] == load_weights(weights).card.parameters

    def test_damage_is_told(self, weights):
        weights.write_bytes(b"")
        assert "cut off" in weights_entry(weights)["fault"]


def test_a_network_that_does_not_fit_is_never_made_whatever_size_is_asked_for(weights, network):
    devices = []

    def tiny(**options):
        devices.append(torch.empty(0).device.type)
        return Tiny(**options)

    write_raw(weights, network.state_dict(), options={"channels": 10**7, "image_size": 8})
    assert "Of another shape" in fault_of(load_network, weights, {"tiny": tiny})
    assert devices == ["meta"]
