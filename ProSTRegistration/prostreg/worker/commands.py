"""The worker's commands: keep what was loaded and answer one at a time.

All methods run on the work thread; none of them is safe to call from two threads at once. Tasks are what takes long:
they tell of their progress, and ask between two steps whether they were cancelled; other commands may be answered
there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.choices import DEVICES, PolarityChoice
from prostreg.errors import FaultList, InputError
from prostreg.geometry.carm import CArm
from prostreg.images.attenuation import attenuation_from_hu, moving_volume
from prostreg.images.ct_units import unit_faults
from prostreg.images.frames import Frames
from prostreg.images.volume import Volume
from prostreg.images.xray_preparation import prepare_xray
from prostreg.images.xray_reading import pixel_faults
from prostreg.outputs.result_file import result_to_dict
from prostreg.projector.selection import Projector, make_projector
from prostreg.registration.bones.bones_of_file import MOST_BONES
from prostreg.registration.bones.registering_bones import register_bones
from prostreg.registration.case import Case, View, same_picture_faults
from prostreg.registration.case_file import read_relation
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register
from prostreg.registration.result import Progress
from prostreg.samples.sample_files import KINDS, make_sample
from prostreg.search import libraries
from prostreg.tracking.tracker import track_run
from prostreg.worker.anatomy_request import AnatomyRequest
from prostreg.worker.bones_request import bones_reply, named_anatomies, placed_anatomies, told_apart
from prostreg.worker.error_messages import BrokenEnvironmentError
from prostreg.worker.fields import Fields
from prostreg.worker.loaded import PackedMask, Recent
from prostreg.worker.protocol import Message
from prostreg.worker.run_request import RunRequest, progress_content, track_answer
from prostreg.worker.self_check import self_check

Reply = tuple[dict[str, Any], Mapping[str, NDArray[Any]]]
Tell = Callable[[dict[str, Any]], None]
IsCancelled = Callable[[], bool]

LEAST_MINUTES, USUAL_MINUTES, MOST_MINUTES = 0.05, 10.0, 240.0
"""Of an adaptation."""

CTS_KEPT = 2
ANATOMIES_KEPT = MOST_BONES + 4
VIEWS_KEPT = 16
PROJECTORS_KEPT = 2
BONES_PROJECTORS_KEPT = MOST_BONES


class Commands:
    """The loaded CTs, anatomies, views and projectors, and the commands on them."""

    def __init__(self) -> None:
        self._cts: Recent[Volume] = Recent(CTS_KEPT)
        self._anatomies: Recent[tuple[str, PackedMask]] = Recent(ANATOMIES_KEPT)
        self._views: Recent[View] = Recent(VIEWS_KEPT)
        self._projectors: Recent[Projector] = Recent(PROJECTORS_KEPT)
        self._bones_projectors: Recent[Projector] = Recent(BONES_PROJECTORS_KEPT)
        self.commands: dict[str, Callable[[Message], Reply]] = {
            "load_ct": self.load_ct,
            "load_anatomy": self.load_anatomy,
            "load_views": self.load_views,
            "render": self.render,
            "adapted": self.adapted,
            "check": self.check,
        }
        self.tasks: dict[str, Callable[[Message, Tell, IsCancelled], Reply]] = {
            "register": self.register,
            "register_bones": self.register_bones,
            "track": self.track,
            "adapt": self.adapt,
            "sample": self.sample,
        }
        _warm_up()

    @property
    def device(self) -> str:
        """The device of all that does not ask for another: GPUs are left alone by themselves."""
        return "cpu"

    def loaded(self) -> dict[str, list[str]]:
        """The ids of all that is loaded."""
        return {"ct": self._cts.keys(), "anatomy": self._anatomies.keys(), "views": self._views.keys()}

    def load_ct(self, message: Message) -> Reply:
        """Array ``ct`` [k, j, i] in HU with ``volume_from_index``; answers ``ct``, its id."""
        fields = Fields(message)
        values, volume_from_index = fields.array("ct", 3), fields.affine("volume_from_index")
        fields.raise_if_any()
        libraries.begin_to_load()
        identity = _identity(values, volume_from_index)
        if identity not in self._cts:
            hu = values.astype(np.float32, copy=False)
            _refuse_unusable_ct(hu)
            self._cts.add(identity, Volume(hu, volume_from_index))
        return {"ct": identity}, {}

    def load_anatomy(self, message: Message) -> Reply:
        """An anatomy of ``ct``; see `AnatomyRequest` for how it is described. Answers ``anatomy``, its id."""
        fields = Fields(message)
        ct_id, request = fields.optional_text("ct"), AnatomyRequest(fields)
        fields.raise_if_any()
        mask = request.mask(self._cts.get(ct_id, "CT"))
        identity = _identity(np.packbits(mask), np.array(mask.shape), ct_id)
        self._anatomies.add(identity, (str(ct_id), PackedMask(mask)))
        return {"anatomy": identity, "voxels": int(mask.sum())}, {}

    def load_views(self, message: Message) -> Reply:
        """List ``views`` of cameras with polarity; arrays ``pixels0``, ``mask0`` (optional), ``pixels1``, …"""
        fields = Fields(message)
        cameras = fields.views()
        pixels = [fields.array(f"pixels{n}", 2) for n in range(len(cameras))]
        masks = [fields.optional_array(f"mask{n}", 2) for n in range(len(cameras))]
        fields.raise_if_any()
        faults = FaultList()
        for number, ((carm, _), image, mask) in enumerate(zip(cameras, pixels, masks, strict=True), start=1):
            faults.extend(f"View {number}: {fault}" for fault in _image_faults(carm, image, mask))
        faults.raise_if_any()
        views = [_view(*parts) for parts in zip(cameras, pixels, masks, strict=True)]
        identities = []
        for view, (_, polarity), image, mask in zip(views, cameras, pixels, masks, strict=True):
            identities.append(_identity(image, mask, polarity, *_camera_parts(view.carm)))
            self._views.add(identities[-1], view)
        return {"views": identities}, {}

    def render(self, message: Message) -> Reply:
        """A DRR of ``ct`` (of its ``anatomy`` alone, where given) as the C-arm of ``view`` sees it at ``pose``.

        ``downsampling`` n renders at 1/n of the image's size; ``bones``, a list of ``anatomy`` and
        ``world_from_volume``, renders each at its own pose instead. Answers the array ``drr`` (height, width), line
        integrals, for several bones ``bone_drrs`` (bones, height, width), and ``K`` and ``size`` of what was rendered.
        """
        fields = Fields(message)
        factor, bones = fields.whole("downsampling", 1, 64, 1), placed_anatomies(fields) if "bones" in fields else []
        world_from_volume = np.eye(4) if bones else fields.rigid("world_from_volume")
        ct_id, anatomy_id, view_id = (fields.optional_text(name) for name in ("ct", "anatomy", "view"))
        fields.raise_if_any()
        full_carm = self._views.get(view_id, "view").carm
        if min(full_carm.size) < factor:
            raise InputError(f"The image of {full_carm.size} pixels cannot be made {factor} times smaller.")
        carm = full_carm.downsampled(factor)
        placed = (
            [(self._projector(ct_id, bone, self._bones_projectors), pose) for bone, pose in bones]
            if bones
            else [(self._projector(ct_id, anatomy_id, self._projectors), world_from_volume)]
        )
        drrs = np.concatenate([p.render((carm.camera_from_world @ pose)[np.newaxis], carm) for p, pose in placed])
        arrays = {"drr": drrs.sum(axis=0)}  # line integrals add up
        if len(drrs) > 1:
            arrays["bone_drrs"] = drrs
        return {"K": carm.intrinsics.tolist(), "size": list(carm.size)}, arrays

    def adapted(self, message: Message) -> Reply:
        """The state of weights adapted to ``ct`` and ``anatomy``, as `adapting.adapted_state` tells it."""
        from prostreg.worker.adapting import adapted_state

        ct, anatomy = self._patient(Fields(message))
        return adapted_state(ct, anatomy), {}

    def check(self, message: Message) -> Reply:
        """Computes something small on ``device`` and answers with a verdict, as `self_check` tells it."""
        fields = Fields(message)
        device = fields.choice("device", DEVICES, "auto")
        fields.raise_if_any()
        try:
            libraries.load()
        except Exception as error:
            raise BrokenEnvironmentError from error
        return self_check(device), {}

    def register(self, message: Message, tell: Tell, is_cancelled: IsCancelled) -> Reply:
        """Registers ``ct`` to ``views`` from the pose ``initial`` (null: from everywhere) with settings ``config``.

        ``relation``, with ``rotation_deg`` and ``translation_mm``, where it is only roughly known how they stand.
        """
        fields = Fields(message)
        initial, settings = fields.optional_rigid("initial"), fields.mapping("config", {})
        name, view_ids = fields.text("name", "") or "registration", fields.ids("views")
        relation = read_relation(fields) if "relation" in fields else None
        ct, anatomy = self._patient(fields)
        config, views = RegistrationConfig.from_dict(settings), self._together(view_ids)
        case = Case(name, ct, anatomy, views, initial, relation=relation)
        return result_to_dict(register(case, config, _telling(tell), is_cancelled)), {}

    def register_bones(self, message: Message, tell: Tell, is_cancelled: IsCancelled) -> Reply:
        """Registers each of ``bones``, a list of ``name`` and ``anatomy``, for itself; else as `register`.

        ``keep_joints``: whether neighbours stay together in their joints.
        Its progress tells the ``bone`` at hand, "" while all move. Answers as `bones_request.bones_reply` does.
        """
        fields = Fields(message)
        initial, settings = fields.optional_rigid("initial"), fields.mapping("config", {})
        name, view_ids = fields.text("name", "") or "registration", fields.ids("views")
        ct_id, named = fields.optional_text("ct"), named_anatomies(fields)
        keeps_joints = fields.flag("keep_joints", False)
        fields.raise_if_any()
        ct, config = self._cts.get(ct_id, "CT"), RegistrationConfig.from_dict(settings)
        views = self._together(view_ids)
        bones, whole = told_apart([(bone, self._anatomy(str(ct_id), identity)) for bone, identity in named])
        case = Case(name, ct, whole, views, initial, bones=bones, keeps_joints=keeps_joints)
        return bones_reply(register_bones(case, config, _telling(tell), is_cancelled)), {}

    def _together(self, view_ids: Sequence[str]) -> tuple[View, ...]:
        """Views that are registered together.

        Raises:
            InputError: one is not loaded, or two of them show the same picture.
        """
        views = tuple(self._views.get(view_id, "view") for view_id in view_ids)
        faults = same_picture_faults({number: view.xray.line_integrals for number, view in enumerate(views, start=1)})
        if faults:
            raise InputError(faults)
        return views

    def track(self, message: Message, tell: Tell, is_cancelled: IsCancelled) -> Reply:
        """Follows ``ct`` through a run of ``views`` from its registered frame; see `RunRequest` and `track_answer`."""
        fields = Fields(message)
        request, settings = RunRequest(fields), fields.mapping("config", {})
        name = fields.text("name", "") or "run"
        ct, anatomy = self._patient(fields)
        config = RegistrationConfig.from_dict(settings)
        shown = Frames(request.frame, request.frame)
        views = tuple(replace(self._views.get(view_id, "view"), frames=shown) for view_id in request.views)
        case = Case(name, ct, anatomy, views)
        first, runs = request.first(case), request.runs(case)
        on_progress = lambda progress: tell(progress_content(progress))  # noqa: E731
        return track_answer(track_run(case, first, runs, None, config, np.inf, on_progress, is_cancelled))

    def adapt(self, message: Message, tell: Tell, is_cancelled: IsCancelled) -> Reply:
        """Adapts the shipped network to ``ct`` and ``anatomy`` in so many ``minutes``, for this user's later runs.

        ``view`` (its C-arm) and ``initial`` tell how the X-rays will be taken; either may be null. Answers as
        `adapting.adapt_to_patient` does.
        """
        from prostreg.worker.adapting import adapt_to_patient

        fields = Fields(message)
        initial, view_id = fields.optional_rigid("initial"), fields.optional_text("view")
        minutes = fields.number("minutes", LEAST_MINUTES, MOST_MINUTES, USUAL_MINUTES)
        seed, name = fields.whole("seed", 0, 2**32 - 1, 0), fields.text("name", "") or "the patient"
        ct, anatomy = self._patient(fields)
        views = () if view_id is None else (self._views.get(view_id, "view"),)
        case = Case(name, ct, anatomy, views, initial)
        return adapt_to_patient(case, minutes, seed, lambda progress: tell(asdict(progress)), is_cancelled), {}

    def sample(self, message: Message, tell: Tell, is_cancelled: IsCancelled) -> Reply:
        """Writes the sample case of a ``kind`` into ``folder``; answers ``case``, its path, and ``attribution``."""
        fields = Fields(message)
        kind = fields.choice("kind", KINDS, KINDS[0])
        folder = fields.text("folder", advice="say where the sample shall be written")
        fields.raise_if_any()
        return make_sample(kind, Path(folder), lambda text: tell({"message": text}), is_cancelled), {}

    def _patient(self, fields: Fields) -> tuple[Volume, NDArray[np.bool_]]:
        """The CT and the anatomy that a request names; raises what ``fields`` noted so far."""
        ct_id, anatomy_id = fields.optional_text("ct"), fields.optional_text("anatomy")
        fields.raise_if_any()
        return self._cts.get(ct_id, "CT"), self._anatomy(str(ct_id), anatomy_id)

    def _anatomy(self, ct_id: str, anatomy_id: str | None) -> NDArray[np.bool_]:
        owner, packed = self._anatomies.get(anatomy_id, "anatomy")
        if owner != ct_id:
            raise InputError("The anatomy belongs to another CT: load it again for this one.")
        return packed.mask()

    def _projector(self, ct_id: str | None, anatomy_id: str | None, kept: Recent[Projector]) -> Projector:
        ct = self._cts.get(ct_id, "CT")
        key = f"{ct_id} {anatomy_id}"
        if key not in kept:
            volume = (
                ct.with_values(attenuation_from_hu(ct.values))
                if anatomy_id is None
                else moving_volume(ct, self._anatomy(str(ct_id), anatomy_id))
            )
            kept.add(key, make_projector(volume))
        return kept.get(key, "projector")


def _telling(tell: Tell) -> Callable[[Progress], None]:
    def on_progress(progress: Progress) -> None:
        tell({**progress.__dict__, "world_from_volume": progress.world_from_volume.tolist()})

    return on_progress


def _warm_up() -> None:
    """Renders next to nothing, so that the first DRR asked for does not wait for the compiler."""
    block = Volume(np.full((4, 4, 4), 0.02, dtype=np.float32), np.eye(4))
    far_away = np.eye(4)
    far_away[2, 3] = 100.0
    make_projector(block).render(far_away[np.newaxis], CArm.from_sdd(1000.0, (5.0, 5.0), (8, 8)))


def _refuse_unusable_ct(hu: NDArray[np.float32]) -> None:
    faults = FaultList()
    if min(hu.shape) < 2:
        faults.add(f"The CT has {hu.shape[::-1]} voxels; a registration needs at least 2 along every axis.")
    else:
        faults.extend(unit_faults(hu, "The CT"))
    faults.raise_if_any()


def _image_faults(carm: CArm, image: NDArray[Any], mask: NDArray[Any] | None) -> list[str]:
    faults = [
        f"The {what} has {array.shape[::-1]} pixels, its camera says {carm.size}: correct one of them."
        for what, array in (("image", image), ("mask", mask))
        if array is not None and array.shape[::-1] != carm.size
    ]
    return [*faults, *pixel_faults(image, "The image")]


def _view(camera: tuple[CArm, PolarityChoice], image: NDArray[Any], mask: NDArray[Any] | None) -> View:
    carm, polarity = camera
    return View(prepare_xray(image.astype(np.float32), polarity, None if mask is None else mask.astype(bool)), carm)


def _camera_parts(carm: CArm) -> tuple[Any, ...]:
    return carm.intrinsics, carm.camera_from_world, str(carm.size), str(carm.spacing_mm), carm.accuracy


def _identity(*parts: Any) -> str:
    """A short id made from the content: arrays by their bytes, all else by its text."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).reshape(-1).data.cast("B"))
        else:
            digest.update(f"|{part}|".encode())
    return digest.hexdigest()
