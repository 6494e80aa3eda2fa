"""Small files as microscopes write them, made byte by byte: CZI, ND2, LIF, LOF, OIF, OIB, OIR."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

# -- Zeiss CZI ------------------------------------------------------------------------------------

PIXEL_TYPES = {"u1": 0, "u2": 1, "f4": 2, "bgr": 3, "bgr16": 4, "bgra": 9, "u4": 12, "c8": 10}


def segment(sid: bytes, data: bytes) -> bytes:
    room = -len(data) % 32
    return struct.pack("<16sqq", sid, len(data) + room, len(data)) + data + bytes(room)


def czi_entry(position: int, kind: int, packing: int, axes: dict[str, tuple[int, ...]]) -> bytes:
    entry = struct.pack(
        "<2siqiiBB4si", b"DV", kind, position, 0, packing, 0, 0, bytes(4), len(axes)
    )
    for letter, facts in axes.items():
        start, size, *stored = facts
        entry += struct.pack(
            "<4siifi", letter.encode(), start, size, 0.0, stored[0] if stored else size
        )
    return entry


def write_czi(path: Path, blocks: list[dict[str, Any]], xml: str = "") -> Path:
    """Blocks have ``axes`` (letter → start, size[, stored]), ``data``, ``kind``, ``packing``."""
    data = bytearray(segment(b"ZISRAWFILE", bytes(512)))
    entries = b""
    for block in blocks:
        entry = czi_entry(
            len(data), PIXEL_TYPES[block["kind"]], block.get("packing", 0), block["axes"]
        )
        entries += entry
        head = struct.pack("<iiq", 7, 0, len(block["data"])) + entry
        data += segment(b"ZISRAWSUBBLOCK", head.ljust(256, b"\0") + b"<META/>" + block["data"])
    description = len(data)
    text = xml.encode()
    data += segment(b"ZISRAWMETADATA", struct.pack("<ii", len(text), 0).ljust(256, b"\0") + text)
    directory = len(data)
    data += segment(b"ZISRAWDIRECTORY", struct.pack("<i", len(blocks)).ljust(128, b"\0") + entries)
    facts = struct.pack(
        "<iiii16s16siqqiq", 1, 0, 0, 0, bytes(16), bytes(16), 0, directory, description, 0, 0
    )
    data[32 : 32 + len(facts)] = facts
    path.write_bytes(bytes(data))
    return path


CZI_XML = (
    "<ImageDocument><Metadata><Information><Image><Dimensions><Channels>"
    '<Channel Id="Channel:0" Name="DAPI"/><Channel Id="Channel:1"/></Channels>'
    '<S><Scenes><Scene Index="0" Name="A1"/><Scene Index="1" Name="B2"/></Scenes></S>'
    "</Dimensions></Image></Information>"
    '<DisplaySetting><Channels><Channel Id="Channel:1" Name="GFP"/></Channels></DisplaySetting>'
    '<Scaling><Items><Distance Id="X"><Value>2e-07</Value></Distance>'
    '<Distance Id="Y"><Value>2e-07</Value></Distance>'
    '<Distance Id="Z"><Value>1e-06</Value></Distance></Items></Scaling></Metadata></ImageDocument>'
)

# -- Nikon ND2 ------------------------------------------------------------------------------------


def variant(name: str, value: Any) -> bytes:
    letters = (name + "\0").encode("utf-16-le")
    if isinstance(value, dict):
        inner = [variant(key, item) for key, item in value.items()]
        body = b"".join(inner)
        head = 2 + len(letters) + 12
        offsets = bytes(8 * len(inner))
        start = bytes([11, len(letters) // 2]) + letters
        return start + struct.pack("<IQ", len(inner), head + len(body)) + body + offsets
    if isinstance(value, str):
        kind, data = 8, (value + "\0").encode("utf-16-le")
    elif isinstance(value, bytes):
        kind, data = 9, struct.pack("<Q", len(value)) + value
    elif isinstance(value, float):
        kind, data = 6, struct.pack("<d", value)
    else:
        kind, data = 3, struct.pack("<I", value)
    return bytes([kind, len(letters) // 2]) + letters + data


def nd2_chunk(name: bytes, data: bytes, reserve: int = 0) -> bytes:
    label = name.ljust(max(len(name), reserve), b"\0")
    return struct.pack("<IIQ", 0x0ABECEDA, len(label), len(data)) + label + data


def write_nd2(
    path: Path,
    frames: list[np.ndarray | None],
    loops: list[tuple[int, dict[str, Any], dict[str, Any]]],
    channels: list[tuple[str, int]],
    **attributes: Any,
) -> Path:
    """Frames ``(Y, X, components)``; loops (type, parameters, more); channels (name, parts)."""
    first = next(f for f in frames if f is not None)
    height, width, components = first.shape
    row = attributes.pop("row_bytes", width * components * first.itemsize)
    facts = {
        "uiWidth": width, "uiWidthBytes": row, "uiHeight": height, "uiComp": components,
        "uiBpcInMemory": 8 * first.itemsize, "uiBpcSignificant": 8 * first.itemsize,
        "uiSequenceCount": len(frames), "eCompression": 2, **attributes,
    }  # fmt: skip
    level: dict[str, Any] = {}
    for kind, parameters, more in reversed(loops):
        level = {
            "eType": kind,
            "uLoopPars": parameters,
            **more,
            "ppNextLevelEx": {"": level} if level else {},
        }
    planes = {
        f"a{n}": {"uiCompCount": parts, "sDescription": name}
        for n, (name, parts) in enumerate(channels)
    }
    picture = {
        "dCalibration": 0.25,
        "sPicturePlanes": {"uiCount": len(channels), "sPlaneNew": planes},
    }
    chunks = {
        b"ImageAttributesLV!": variant("SLxImageAttributes", facts),
        b"ImageMetadataLV!": variant("SLxExperiment", level),
        b"ImageMetadataSeqLV|0!": variant("SLxPictureMetadata", picture),
    }
    for number, frame in enumerate(frames):
        if frame is not None:
            rows = [line.tobytes().ljust(row, b"\xee") for line in frame]
            pixels = b"".join(rows)
            if facts["eCompression"] == 0:
                pixels = zlib.compress(pixels)
            chunks[b"ImageDataSeq|%d!" % number] = struct.pack("<d", 1.0) + pixels
    signature = b"ND2 FILE SIGNATURE CHUNK NAME01!"
    data = bytearray(nd2_chunk(signature, b"Ver3.0".ljust(64, b"\0")))
    places = b""
    for name, content in chunks.items():
        places += name + struct.pack("<QQ", len(data), len(content))
        data += nd2_chunk(name, content, reserve=4072 if b"ImageDataSeq" in name else 0)
    at = len(data)
    ending = b"ND2 CHUNK MAP SIGNATURE 0000001!"
    data += nd2_chunk(b"ND2 FILEMAP SIGNATURE NAME 0001!", places + ending + struct.pack("<Q", at))
    data += ending + struct.pack("<Q", at)
    path.write_bytes(bytes(data))
    return path


# -- Leica LIF and LOF ----------------------------------------------------------------------------

LIF_AXES = {"x": 1, "y": 2, "z": 3, "t": 4, "e": 5, "m": 10}


def lif_element(
    name: str,
    block: str,
    size: int,
    axes: list[tuple[str, int, int, float]],
    channels: list[tuple[int, int, int, str]],
) -> str:
    """Axes are (letter, length, stride, length in metres); channels (start, bits, tag, name)."""
    dimensions = "".join(
        f'<DimensionDescription DimID="{LIF_AXES[letter]}" NumberOfElements="{count}" Origin="0" '
        f'Length="{length}" Unit="m" BitInc="0" BytesInc="{stride}"/>'
        for letter, count, stride, length in axes
    )
    described = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="{tag}" Resolution="{bits}" '
        f'NameOfMeasuredQuantity="" Min="0" Max="1" Unit="" LUTName="{colour}" IsLUTInverted="0" '
        f'BytesInc="{start}" BitInc="0"/>'
        for start, bits, tag, colour in channels
    )
    return (
        f'<Element Name="{name}" UniqueID="{name}"><Data><Image><ImageDescription><Channels>'
        f"{described}</Channels><Dimensions>{dimensions}</Dimensions></ImageDescription></Image>"
        f'</Data><Memory Size="{size}" MemoryBlockID="{block}"/></Element>'
    )


def leica_text(text: str) -> bytes:
    data = text.encode("utf-16-le")
    return struct.pack("<IIBI", 0x70, len(data) + 5, 0x2A, len(data) // 2) + data


def write_lif(path: Path, elements: list[str], blocks: dict[str, bytes]) -> Path:
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="project" UniqueID="p"><Children>'
        f"{''.join(elements)}</Children></Element></LMSDataContainerHeader>"
    )
    data = leica_text(xml)
    for name, block in blocks.items():
        text = name.encode("utf-16-le")
        data += struct.pack("<IIBQBI", 0x70, 14 + len(text), 0x2A, len(block), 0x2A, len(name))
        data += text + block
    path.write_bytes(data)
    return path


def write_lof(path: Path, element: str, block: bytes) -> Path:
    xml = f'<LMSDataContainerHeader Version="2">{element}</LMSDataContainerHeader>'
    data = leica_text("LMS_Object_File") + struct.pack("<BIBI", 0x2A, 2, 0x2A, 0)
    path.write_bytes(data + struct.pack("<BQ", 0x2A, len(block)) + block + leica_text(xml))
    return path


# -- Olympus OIF, OIB, OIR ------------------------------------------------------------------------

OIF_SETTINGS = (
    '[ProfileSaveInfo]\r\nName="OIF"\r\nVersion="1"\r\n'
    '[Axis 3 Parameters Common]\r\nAxisCode="Z"\r\nStartPosition=1000\r\nEndPosition=3000\r\n'
    'MaxSize=2\r\nUnitName="nm"\r\n'
    '[Channel 1 Parameters]\r\nDyeName="DAPI"\r\n'
    '[Channel 2 Parameters]\r\nDyeName="None"\r\nCH Name="CH2"\r\n'
    "[Reference Image Parameter]\r\nWidthConvertValue=0.25\r\nHeightConvertValue=0.25\r\n"
    'WidthUnit="um"\r\nHeightUnit="um"\r\n'
)


def oif_text(text: str = OIF_SETTINGS) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le")


def plane_tiffs(pixels: np.ndarray) -> dict[str, bytes]:
    """A TIFF for each plane of ``(C, Z, Y, X)``."""
    found = {}
    for c, z in np.ndindex(pixels.shape[:2]):
        stream = io.BytesIO()
        tifffile.imwrite(stream, pixels[c, z], metadata=None)
        found[f"s_C{c + 1:03d}Z{z + 1:03d}.tif"] = stream.getvalue()
    return found


def write_oif(path: Path, pixels: np.ndarray) -> Path:
    path.write_bytes(oif_text())
    folder = path.with_name(path.name + ".files")
    folder.mkdir()
    for name, data in plane_tiffs(pixels).items():
        (folder / name).write_bytes(data)
    (folder / "s_C001-R001.tif").write_bytes(b"no picture")
    return path


def write_oib(path: Path, pixels: np.ndarray) -> Path:
    streams = {"Stream00000": oif_text()}
    info = '[OibSaveInfo]\r\nVersion="2.0"\r\nName="x"\r\nMainFileName=Stream00000\r\n'
    info += "Stream00000=x.oif\r\n"
    for number, (name, data) in enumerate(plane_tiffs(pixels).items(), 1):
        streams[f"Stream{number:05d}"] = data
        info += f"Stream{number:05d}=Storage00001/{name}\r\n"
    path.write_bytes(compound({"OibInfo.txt": oif_text(info), **streams}))
    return path


def compound(streams: dict[str, bytes]) -> bytes:
    """A compound file of version 3; streams below 4096 bytes lie in the small stream."""
    end, none = 0xFFFFFFFE, 0xFFFFFFFF
    sectors: list[bytes] = []
    table: list[int] = []

    def put(data: bytes) -> int:
        if not data:
            return end
        first = len(sectors)
        count = -(-len(data) // 512)
        sectors.extend(data[at : at + 512].ljust(512, b"\0") for at in range(0, len(data), 512))
        table.extend([*range(first + 1, first + count), end])
        return first

    small, small_table, places = b"", [], {}
    for name, data in streams.items():
        if len(data) < 4096:
            first = len(small) // 64
            count = -(-len(data) // 64)
            small += data.ljust(count * 64, b"\0")
            small_table += [*range(first + 1, first + count), end]
            places[name] = first
        else:
            places[name] = put(data)

    def entry(name: str, kind: int, right: int, child: int, first: int, size: int) -> bytes:
        text = (name + "\0").encode("utf-16-le")
        return struct.pack(
            "<64sHBBIII16sIQQIQ", text, len(text), kind, 1, none, right, child, bytes(16), 0, 0, 0,
            first, size,
        )  # fmt: skip

    names = list(streams)
    entries = [entry("Root Entry", 5, none, 1, put(small), len(small))]
    for number, name in enumerate(names, 1):
        right = number + 1 if number < len(names) else none
        entries.append(entry(name, 2, right, none, places[name], len(streams[name])))
    while len(entries) % 4:
        entries.append(
            struct.pack(
                "<64sHBBIII16sIQQIQ", b"", 0, 0, 0, none, none, none, bytes(16), 0, 0, 0, 0, 0
            )
        )
    directory = put(b"".join(entries))
    packed = struct.pack(f"<{len(small_table)}I", *small_table)
    small_first = put(packed.ljust(-(-len(packed) // 512) * 512, b"\xff"))
    count = 1
    while (len(table) + count + 127) // 128 > count:
        count += 1
    first_fat = len(sectors)
    table += [0xFFFFFFFD] * count
    table += [none] * (count * 128 - len(table))
    sectors += [struct.pack("<128I", *table[n * 128 : n * 128 + 128]) for n in range(count)]
    head = struct.pack(
        "<8s16sHHHHH6xIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes(16), 0x3E, 3, 0xFFFE,
        9, 6, 0, count, directory, 0, 4096, small_first, -(-len(packed) // 512), end, 0,
    )  # fmt: skip
    difat = [first_fat + n if n < count else none for n in range(109)]
    return head + struct.pack("<109I", *difat) + b"".join(sectors)


def write_oir(path: Path, pixels: np.ndarray, parts: int = 2) -> Path:
    """Pixels ``(T, C, Z, Y, X)``, each plane in so many parts."""
    times, channels, depth, height, width = pixels.shape
    ids = [f"{c:08x}-0000-4000-8000-{c:012x}" for c in range(channels)]
    data = bytearray(bytes(96))
    offsets = []

    def block(kind: int, content: bytes) -> None:
        offsets.append(len(data))
        data.extend(struct.pack("<II", len(content), kind) + content)

    frame = (
        '<?xml version="1.0"?><f:frameProperties xmlns:f="f"><f:imageDefinition>'
        f"<f:width>{width}</f:width><f:height>{height}</f:height><f:depth>{pixels.itemsize}</f:depth>"
        "<f:bitCounts>12</f:bitCounts><f:colorType>GrayScale</f:colorType></f:imageDefinition>"
        "</f:frameProperties>"
    )
    image = (
        '<?xml version="1.0"?><lsmimage:imageProperties xmlns:lsmimage="l" xmlns:c="c">'
        "<c:length><c:x>0.5</c:x><c:y>0.5</c:y></c:length>"
        '<c:axis enable="true"><c:axis>ZSTACK</c:axis><c:step>2.0</c:step></c:axis>'
        + "".join(
            f'<c:channel id="{known}" order="{n + 1}"><c:name>CH{n + 1}</c:name></c:channel>'
            for n, known in enumerate(ids)
        )
        + "</lsmimage:imageProperties>"
    )
    block(0, b"\0\0\0\0" + image.encode())
    block(1, b"\0\0\0\0" + frame.encode())
    for t, c, z in np.ndindex(times, channels, depth):
        raw = pixels[t, c, z].tobytes()
        step = -(-len(raw) // parts)
        for part in range(parts):
            name = f"z{z + 1:03d}t{t + 1:03d}_0_1_{ids[c]}_{part}".encode()
            block(3, struct.pack("<III", 0, 0, len(name)) + name)
            block(4, raw[part * step : (part + 1) * step])
    index = len(data)
    data.extend(struct.pack("<I", 0xFFFFFFFF) + struct.pack(f"<{len(offsets)}Q", *offsets))
    data[:48] = b"OLYMPUSRAWFORMAT" + bytes(16) + struct.pack("<QQ", len(data), index)
    path.write_bytes(bytes(data))
    return path
