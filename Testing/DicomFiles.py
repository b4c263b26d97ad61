"""DICOM images of a few lines in every transfer syntax; the streams are those of imagecodecs 2026.3.6."""

from __future__ import annotations

import base64
from collections.abc import Callable
from collections.abc import Sequence as ListOf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForProcessing,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    SegmentationStorage,
    XRayAngiographicImageStorage,
    XRayRadiofluoroscopicImageStorage,
    generate_uid,
)
from scipy.spatial.transform import Rotation

PLAIN = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
KINDS = {
    "XA": XRayAngiographicImageStorage,
    "RF": XRayRadiofluoroscopicImageStorage,
    "DX": DigitalXRayImageStorageForProcessing,
    "CR": ComputedRadiographyImageStorage,
    "CT": CTImageStorage,
    "SEG": SegmentationStorage,
}

_ROWS, _COLUMNS = np.mgrid[:16, :20]
PICTURE = (_ROWS * 120 + _COLUMNS * 30 + (_COLUMNS // 5 % 2) * 500).astype(np.uint16)
"""12 bits; what the streams below show, the 8-bit one a sixteenth of it."""

SIGNED_PICTURE = (PICTURE.astype(np.int16) - 1500).astype(np.int16)

STREAMS = {
    "1.2.840.10008.1.2.4.50": (  # JPEGBaseline8Bit
        "|JeWF01!$>Nk#wx0RR9200961|JwjV009930RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40s"
        "p`N3kU!Z02BcM5di<h03QGV0R;g80RaI400000000000RjUA1qKHQ2?`7U!~nGr00IF60|EpC1qB2I0004f0RjU61Q7)iAu&M)6H#FYB5@Qlfsvs"
        "IBSNvk6;jdgBr{@if(Z&17Z@2DB_<~*DJnEIHa9pqIzvQ7Mn_0VN>fx-"
        "R##YAT4Q8oW@l(=YIAgTc6WGrdV_?8hKGoWijtF*m6n&7nVO=bq@|{(sHv*5v$VCgx45~w!o$SH#>dFX%F@%+)z;V8+1laa<K*S$=jiF`@$&QZ_4"
        "fDp`TGCb00;pA002J#{#ZX}Pubi4Dx2T*5BY#yf6FiWi0NPK{{Uady?eX<&foEPtp5Pef97EDm;AH;0H=K$zCZS3^z{7!vi+UE(c}LBLGAwlJoD-"
        "P%YQ$@y`%PY{hhz!slERIK>q-k1=swt{{X0tmHyB5{Cn5CzwGV*02hkS{RjSL4+($EKl*pkyW{@=W<O6)&?_(5+x;Ft^d8^y&pw~*xAXif|Je"
    ),
    "1.2.840.10008.1.2.4.51": (  # JPEGExtended12Bit
        "|JeWF01!$>Nk#wx0RR9200961|JwjV009930RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40RaI40s"
        "p}O3k(1d02BcM5di<h02TlN0RaF200000000000000B4G#ar03;9q00RaG0RR9100000000083@88w2}em~1PUrEQ)Fjp|Jncu0RaF2KLE=imr^e"
        "2syJOCss)KDcl16Lw&r*TsJo`|NIXMT^vZEA{5}p==AbYM3%VzlJq>b8zOD+~%+Os(yQZk&bcU!FB&FZb_*UDQ;2xsxo5djU4Oi1C#JlkLIa`{5z"
        "$7l{o?P@b$u9c1D|3JU*#H"
    ),
    "1.2.840.10008.1.2.4.57": (  # JPEGLossless
        "|JeWF01!$>Nk#wx0RR9200961|HA+a3;+-"
        "S6afJd0RO}Q82|wR0RaI40000000000000052MP%c|Jncu0RaF6008;_0PkMCd!Z}WuU_z`_3PKV61{r$?ce|aZvX%TcmMz!zyJW=000K?001|D0"
        "0F!J01e;(0B-;Q19$)c8^8bn-T(jw@BjcefB*si*#H"
    ),
    "1.2.840.10008.1.2.4.70": (  # JPEGLosslessSV1
        "|JeWF01!$>Nk#wx0RR9200961|HA+a3;+-"
        "S6afJd0RO}Q7ytnQ0RaI30000000000000FF2?q@S+5iXv0RRC20Q3I<yz|dclg~W%6uk4#P?OI*_jq~do}nk6dF&~9=boV_o_X%@^Upm(PdxM3Q"
        "uEI}LQg#N-Qnk+dW4>N=dh*co_d6ydFQ*s&ph=BJoC?COV2#@2|V-9cZZ&N>JoY9p2C-&dFm2*=brBmJoD5f^UpnnFFf<qB=gTb-"
        "X3}9s7dFZdkS88=cq~No_oAJ^UqL|&ph@Nyz|dclg~W&czNfZp(mbs>?wKYo}nk6dG7G@&pkp<JoDI6^Upm(PdxM8;pd)ugr0flu%+jodW4>N=ex"
        "ttJoO1Y^Uq;R&ph=BJoC?Yhn{)r5_#vI!k3<T>JoY9p6?Gl^VB5s&pm}NJoD5f^Upor9(m`eN#~w>3SN2Vs7dFZd;i%0"
    ),
    "1.2.840.10008.1.2.4.80": (  # JPEGLSLossless
        "|JeWN03cIPNk&Eh0ssI30000G0000K3J?YX0003j0003j|L6b+00001|JeWc01FTR5C9Yb0TBTI_y7$7|Nj6I07C&306_oR00;pA00000q1-"
        "!%FzpCo+&PWoQM8R_a~XI=WpbH3mUu(RbsR&<;TugRQ0@RsCDO=sJF2QFq2%zSqM(j0$?3_ca{x?COGejJrAm<McT%N7X>?GbLN|aXPMtEjr%ag~"
        "U6UqEn0Y2jl^Vb$N|i40N|h=$x}->vEbvi96F3DFQB~feiYAvt(@jy_nrWsm38tExwKUUAu4yEald&X{OW+boB^O#rB$#<5l1dJwl%%!-"
        "l%)4cQk1*JDN1vpDN0uXDN1XdDN0%3l%+Aul%-"
        "PvDN19NDN3uoDN0+BDyn!0h?L_*MMrWXDsdtrmI5LwaH1lcwGkA!5fMiL5fr!45lPsRP~J%>U?h|`Qc5ngl7`|*KLI46wvtc)|Je"
    ),
    "1.2.840.10008.1.2.4.81": (  # JPEGLSNearLossless
        "|JeWN03cIPNk&Eh0ssI30000G0000K3J?YX0003j0003j|L6b+00001|JeWc01FTR5C9Yb0TBTI_y7$7|Nj6O08IfR06_oR00;pA00IC2p>VjkTT"
        "T}f7bN*6Oqn8#c=6-"
        "RA(4?#$%Ls=p>P>hQ5juT6GJ8xO*Cb6(^@79mZYl+Qjt~^l_hSaB^LuKN>=GgQI*t`rEaRJa4M>;l~pprqN?2$Qejm^TcWB~>WZUeR7rtRRBEb;T"
        "dE?BT1hZXDA_cXx@k78H1JI()ik4Kl5JB-;FD8El8w?<RaEdwqN=FbN{T9;3RF#18!Dn|r-G^|s*RqByzqJ^^J?@>=Z~UKM$aVPS$QV&0RPzl"
    ),
    "1.2.840.10008.1.2.4.90": (  # JPEG2000Lossless
        "|4;u>04V?f0000K0000G00000000000000K0000G0000000000009dD0sm3}3;+NC0RRC61ONg5TmT0^U}$J?|6~9q00BdCWnpw>WFTUBAWv{*Zc"
        "0!^M<8}(a&u{KZXhx)H7+#&kN^q*00000p#TB@li%U25-"
        "t}!o5^(OydIv}KCuFO=>2*k;i@I4M}*}9cL45?L?U(I#%Sr3Ed_0)$t?SMyRu5oGfRg1jrCUC;#UBopa?jysn=_Kr*C0wywvlUK07+#Gd;&OB601"
        "4zf`xaPnyu%Yz-%s28qMK`~_e>(2yMVj`zIK@NDw{000HfAaQEPPW&TB=rDNZZ2<kr|Je"
    ),
    "1.2.840.10008.1.2.4.91": (  # JPEG2000
        "|4;u>04V?f0000K0000G00000000000000K0000G0000000000009pH0sm3}4gmrH0RRC61ONbti2qyw3qpt_m(!Qimty~903`qcLvm$dbY)~9Vt"
        "F7>aAj^vP(?=|c4cyNX>V>IGA=bPH2;tQ3IG5A006oG0soWF_}URrRH+uR`wt(+Kpb;}hH~r|DH;WE@9?1#AJErQVxuwy;}}npehR!cfFU<+0G|6"
        "Kogc%baJE67`G;%eaqADf?#X~BYf$|LFF@l51wZaD`kn&iHF`Fvn;}i+F;iS1gCHEN!xd?qiHO(053rH|A29$N_Kx?zLTX(upcA?rS$F^ed4$iv5"
        "Bcq;|4wiLxH6B<R!(w9=rAx$6dUuf0Av~4a1>qt*#H"
    ),
    "1.2.840.10008.1.2.4.201": (  # HTJ2KLossless
        "|4;u>04YEK0000K0000G00000000000000K0000G0000000000009pH0sl|{2mk^A000XAQUDA90ssL31q1{@0smY86Cj9?kdTm&kdTm&kdTmwh="
        "~7W02crOPjF>!N>E53R%LP^FfKASE;BCwkN^q*00000(*ObglfVEbHTVSwbO68r69Dl20*7<}zyK3K026?Q{sISd0FVfY0Kzl?zyK9600mG#{S;9"
        "|0YbC@Ml`~R02sh`Rsg^N7UTc{Ts=MV^0TwEvp`Rey!`C!>?{JpJJw1c2tYEq02*r0ph3gn5Jo})?6?5H04~}90cwEq<>kwlFR!(H`SSAR<#lxA%"
        "a@lgFR!B`U%tG2d3hb3fzF-$w>o$7-09!T00#&_m(h!L0q$<M+wFF{-R}N`J%~Vi_8|f6ya4~%"
    ),
    "signed 1.2.840.10008.1.2.4.70": (  # SIGNED_JPEG
        "|JeWF01!$>Nk#wx0RR9200961|HA+a3;+-"
        "S6afJd0RO}Q7ytnP0|5X40000000000000FC3JeMV+5iXv0RRC20I?&_JoSX0dFQxN^UpnDC!Trf;pd)u!cRQ&+$nkIp0Jb8JoNDM&plx$o_X#Ry"
        "z|dkN#~w=czNfZu#?X`_X=Kl=d2|2&pkXm^UqjG=bn3oFFf<s5_#+cuTKv=^VSl1=bqt9&ph@a7oK_P;pd)u!cRQ&+$nkIp2Q;a&pkXm^UqjI0PD"
        "{^xT)u!dk~AyJoNDM&pn7m=bn3UQ_np1As3!`>EY*|dk~AyJoe(Jo_hf8gr0flr-z<->_RU*^V}(U=bo^W&ph<-^UpnqMdzM-"
        "g)cnw))IN=o}M1SI`h^NdFP(tOV2#@gr0flusgi-&sa(4o_mEaJoDBPdFP&<9(m`iB=gTb!k3<T>j^yb&rc6L^VSl1=bqt9&ph>no_XiL|Je"
    ),
    "signed 1.2.840.10008.1.2.4.90": (  # SIGNED_JPEG_2000
        "|4;u>04V?f0000K0000G00000000000000K0000G000000000000EBy0sm3}3;+NC0RRC61ONg5TmT0^fQX2Y|6~9q00BdCWnpw>WFTUBAWv{*Zc"
        "0!^M<8}(a&u{KZXhx)H7+#&kN^q*00000r2ql{lfeF4KoHyu`IOEBC%YPF^0)h}oB98Flb1OEXnbMn{S+2`K7s*~e8FIF8!!XyNXKx<<avG(VKkX"
        "ho(~6PL>~h~ih8uYp+<u5)erV>St^n~AdOE%FOrU9_F8hPDh6D3Dw5CV>r3XYheQ<iiNnATz*Yc0(2yMVj`zIK@NDw{000HfAaQEPPW&TB=rDNZZ"
        "2<kr|Je"
    ),
}

COMPRESSED = (RLELossless, *(UID(syntax) for syntax in STREAMS if not syntax.startswith("signed")))


def stream(syntax: str, is_signed: bool = False) -> bytes:
    """A compressed picture of 16 x 20 pixels."""
    return base64.b85decode(STREAMS[f"signed {syntax}" if is_signed else syntax])


def run_lengths(pixels: NDArray[np.uint16]) -> bytes:
    """A frame of 16-bit values in the RLE of DICOM, high bytes first; nothing in it is repeated."""
    values = pixels.astype(">u2").tobytes()
    segments = []
    for plane in (values[::2], values[1::2]):
        pieces = [plane[begin : begin + 128] for begin in range(0, len(plane), 128)]
        packed = b"".join(bytes([len(piece) - 1]) + piece for piece in pieces)
        segments.append(packed + b"\0" * (len(packed) % 2))
    places = [2, 64, 64 + len(segments[0])] + [0] * 13
    return np.array(places, "<u4").tobytes() + b"".join(segments)


def write_xray(
    path: Path,
    modality: str = "XA",
    pixels: NDArray[Any] = PICTURE,
    syntax: UID = ExplicitVRLittleEndian,
    compressed: bytes | ListOf[bytes] | None = None,
    **tags: Any,
) -> Path:
    """A DICOM image; its pixels in a stream of the transfer syntax, in one for each frame, or plain."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = KINDS[modality], generate_uid()
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset(
        str(path),
        {},
        file_meta=meta,
        preamble=b"\0" * 128,
        is_implicit_VR=syntax == ImplicitVRLittleEndian,
        is_little_endian=syntax != ExplicitVRBigEndian,
    )
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.Modality, dataset.PhotometricInterpretation, dataset.SamplesPerPixel = modality, "MONOCHROME2", 1
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    bits = pixels.dtype.itemsize * 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    if compressed is None:
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    else:
        dataset.PixelData = encapsulate([compressed] if isinstance(compressed, bytes) else list(compressed))
        dataset["PixelData"].is_undefined_length = True
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_ct(path: Path, pixels: NDArray[Any], position: ListOf[float], **tags: Any) -> Path:
    """A slice of a series with 1024 added to its HU, upright, of 1 mm pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {"RescaleSlope": 1, "RescaleIntercept": -1024, "PixelSpacing": [1, 1], "SeriesInstanceUID": "1.2.3"}
    given |= {"ImagePositionPatient": list(position), "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    return write_xray(path, "CT", pixels, **(given | tags))


def write_in(path: Path, syntax: UID, modality: str = "XA", is_signed: bool = False, **tags: Any) -> NDArray[Any]:
    """Writes the picture in a transfer syntax; returns the values that it stands for."""
    picture = SIGNED_PICTURE if is_signed else PICTURE
    if syntax == RLELossless:
        write_xray(path, modality, picture, syntax, run_lengths(picture.view(np.uint16)), **tags)
    elif syntax in PLAIN:
        write_xray(path, modality, picture, syntax, **tags)
    elif syntax.endswith("4.50"):
        picture = (PICTURE // 16).astype(np.uint8)
        write_xray(path, modality, picture, syntax, stream(syntax), **tags)
    else:
        bits = {} if syntax.endswith("4.90") and is_signed else {"BitsStored": 12, "HighBit": 11}
        write_xray(path, modality, picture, syntax, stream(syntax, is_signed), **bits, **tags)
    return picture


SEGMENT_SHAPE = (9, 13, 11)  # no multiple of 8: frames begin within bytes
SEGMENT_SPACING = (0.8, 1.2, 2.5)  # down, right, from slice to slice
SEGMENT_AXES = Rotation.from_euler("zyx", [14, -9, 6], degrees=True).as_matrix()
SEGMENT_ORIGIN_LPS = np.array([-20.0, 35.0, -410.0])


def segments() -> NDArray[np.uint8]:
    """Two segments, 1 and 3; slice 4 shows nothing."""
    labels = np.zeros(SEGMENT_SHAPE, dtype=np.uint8)
    labels[1:4, 2:6, 3:8] = 1
    labels[5:8, 7:12, 1:4] = 3
    return labels


def item(**tags: Any) -> Sequence:
    dataset = Dataset()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return Sequence([dataset])


def write_segmentation(
    path: Path, labels: NDArray[np.uint8], change: Callable[[dict[str, Any]], None] | None = None, kind: str = "BINARY"
) -> Path:
    """A SEG with the frames that show something, in an order of no meaning."""
    frames, groups = [], []
    numbers = [1, 3] if kind == "BINARY" else [0]
    for number in numbers:
        for k in reversed(range(len(labels))):
            frame = labels[k] == number if number else labels[k]
            if not frame.any():
                continue
            group = Dataset()
            place = SEGMENT_ORIGIN_LPS + SEGMENT_AXES @ np.array([0, 0, k * SEGMENT_SPACING[2]])
            group.PlanePositionSequence = item(ImagePositionPatient=[f"{x:.5f}" for x in place])
            if number:
                group.SegmentIdentificationSequence = item(ReferencedSegmentNumber=number)
            frames.append(frame)
            groups.append(group)
    shared = Dataset()
    shared.PlaneOrientationSequence = item(
        ImageOrientationPatient=[f"{x:.8f}" for x in (*SEGMENT_AXES[:, 0], *SEGMENT_AXES[:, 1])]
    )
    shared.PixelMeasuresSequence = item(PixelSpacing=list(SEGMENT_SPACING[:2]), SpacingBetweenSlices=SEGMENT_SPACING[2])
    given: dict[str, Any] = {"SegmentationType": kind, "NumberOfFrames": len(frames)}
    given["SharedFunctionalGroupsSequence"] = Sequence([shared])
    given["PerFrameFunctionalGroupsSequence"] = Sequence(groups)
    stack = np.array(frames).astype(np.uint8)
    if kind == "BINARY":
        bits = np.packbits(stack, bitorder="little").tobytes()
        given |= {"PixelData": bits + b"\0" * (len(bits) % 2), "BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}
    if change is not None:
        change(given)
    return write_xray(path, "SEG", stack, **given)
