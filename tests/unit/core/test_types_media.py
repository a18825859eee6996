"""Pictures, files and sounds: what becomes one, what is shown, what is never read."""

from __future__ import annotations

import base64
import builtins
import io
import socket
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from dspex.core.errors import ContentError
from dspex.core.types import _media
from dspex.core.types.audio import Audio
from dspex.core.types.base import PARTS_END, PARTS_START
from dspex.core.types.file import File
from dspex.core.types.image import Image, encode_image

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAA"
    "SUVORK5CYII="
)
PNG_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
TWO_MEGABYTES = PNG + bytes(2_000_000)


class Picture:
    """What dspex needs of a PIL image."""

    def __init__(self, kind: str | None) -> None:
        self.format = kind

    def save(self, file: io.BytesIO, format: str) -> None:  # noqa: A002 - PIL's name
        file.write(PNG if format == "PNG" else b"\xff\xd8\xff" + format.encode())


@contextmanager
def outside_locked() -> Iterator[None]:
    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        pytest.fail("something outside of the program was touched")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, "open", refuse)
        patch.setattr(io, "open", refuse)
        patch.setattr(socket, "socket", refuse)
        yield


@pytest.fixture
def nothing_is_read() -> Iterator[None]:
    with outside_locked():
        yield


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to?"))
            self.end_headers()
            return
        known = {
            "/a.png": "image/png",
            "/a.wav": "audio/x-wav",
            "/bare": None,
            "/store": "application/octet-stream",
        }
        name = self.path.partition("?")[0]
        self.send_response(200 if name in known else 404)
        if kind := known.get(name):
            self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(PNG)

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "*")
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()


@pytest.mark.parametrize(
    "source",
    [
        PNG,
        PNG_URL,
        f"  {PNG_URL}\n",
        {"url": PNG_URL},
        {"url": PNG},
        Image(PNG),
        Picture(None),
        Picture("PNG"),
    ],
)
def test_an_image_is_made_of_bytes_urls_mappings_and_pictures(source: Any) -> None:
    assert Image(source).url == PNG_URL
    assert TypeAdapter(Image).validate_python(source).url == PNG_URL


def test_a_picture_keeps_its_own_format() -> None:
    jpeg, other = Image(Picture("JPEG")), Image(Picture("PNG"))

    assert jpeg.url.startswith("data:image/jpeg;base64,")
    assert other.url == PNG_URL


@pytest.mark.parametrize(
    "address", ["https://example.com/a.png", "http://example.com", "gs://bucket/a.png"]
)
@pytest.mark.usefixtures("nothing_is_read")
def test_an_address_is_passed_on_and_not_fetched(address: str) -> None:
    image = Image(address)

    assert image.format() == [{"type": "image_url", "image_url": {"url": address}}]
    assert Image(url=address) == image


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"BM\x00\x00", "image/bmp"),
        (b"II*\x00", "image/tiff"),
        (b"MM\x00*", "image/tiff"),
        (b"\x00\x00\x00\x1cftypavif", "image/avif"),
        (b"\x00\x00\x00\x1cftypheic", "image/heic"),
        (b"%PDF-1.7", "application/pdf"),
    ],
)
def test_bytes_tell_their_format(content: bytes, media_type: str) -> None:
    assert Image(content).url.startswith(f"data:{media_type};base64,")


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        (Image, "/etc/passwd"),
        (Image, "file:///etc/passwd"),
        (Image, "picture.png"),
        (Image, "http://[half-an-address"),
        (Image, {"url": "/etc/passwd"}),
        (Image, {"url": "https://example.com/a.png", "download": True}),
        (Image, b"no picture"),
        (Image, 3),
        (Image, {}),
        (File, "/etc/passwd"),
        (File, "https://example.com/a.pdf"),
        (File, {"path": "/etc/passwd"}),
        (File, 3),
        (Audio, "/etc/passwd"),
        (Audio, "https://example.com/a.wav"),
        (Audio, "data:image/png;base64,AAAA"),
        (Audio, {"path": "/etc/passwd"}),
        (Audio, 3),
    ],
)
@pytest.mark.usefixtures("nothing_is_read")
def test_what_is_no_content_is_refused_without_looking_outside(
    kind: Any, source: Any
) -> None:
    with pytest.raises(ValueError, match=r"expected|Extra inputs|Field required"):
        kind(source)
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(source)


@pytest.mark.parametrize("kind", [Image, File, Audio])
@given(text=st.text() | st.sampled_from([f"file://{__file__}", __file__, "~", "."]))
def test_no_text_makes_a_type_look_outside(kind: Any, text: str) -> None:
    with outside_locked(), suppress(ValidationError):
        made = TypeAdapter(kind).validate_python(text)

        assert made.format()


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (Image(TWO_MEGABYTES), "base64,<IMAGE_BASE_64_ENCODED({size})>"),
        (File(TWO_MEGABYTES), "<DATA_URI(application/octet-stream, {size} chars)>"),
        (Audio(TWO_MEGABYTES), "<AUDIO_BASE_64_ENCODED({size})>"),
    ],
    ids=["image", "file", "audio"],
)
def test_two_megabytes_are_shown_by_their_size_as_in_dspy(
    made: Any, shown: str
) -> None:
    size = len(base64.b64encode(TWO_MEGABYTES))

    assert shown.format(size=size) in repr(made)
    assert repr(made) == str(made) == f"{made}"
    assert len(str([made])) < 100


def test_an_image_without_base64_is_shown_by_its_kind_and_size() -> None:
    image = Image("data:image/svg+xml,%3Csvg/%3E")

    assert repr(image) == "Image(url=<DATA_URI(image/svg+xml, 29 chars)>)"


def test_an_error_about_a_big_value_does_not_show_it() -> None:
    class Row(BaseModel):
        image: Image

    with pytest.raises(ValidationError) as caught:
        Row.model_validate({"image": {"url": PNG_URL, "other": PNG_URL * 1_000}})
    with pytest.raises(ContentError) as refused:
        Image("x" * 1_000_000)

    assert len(str(caught.value)) < 2_000
    assert len(str(refused.value)) < 200


def test_an_image_is_encoded_once_and_not_copied() -> None:
    image = Image(TWO_MEGABYTES)

    [first], [second] = image.format(), image.format()

    assert first["image_url"]["url"] is second["image_url"]["url"]
    assert Image(image).url is image.url
    assert encode_image(image) is image.url
    assert encode_image({"url": image}) is image.url


def test_values_cannot_be_changed_and_can_be_compared() -> None:
    image, file, audio = Image(PNG), File(b"a"), Audio(b"a")

    for made, field in ((image, "url"), (file, "file_data"), (audio, "data")):
        with pytest.raises(ValidationError):
            setattr(made, field, "x")
    assert len({image, Image(PNG), Image(Picture(None))}) == 1


def test_a_source_beside_the_field_itself_is_refused() -> None:
    with pytest.raises(TypeError, match="not both"):
        Image(PNG, url=PNG_URL)
    with pytest.raises(TypeError, match="file_data"):
        File(b"a", file_data="data:text/plain;base64,YQ==")
    with pytest.raises(TypeError, match=r"Write Image\.from_url"):
        Image("https://example.com/a.png", download=True)
    with pytest.raises(TypeError, match="data does not go"):
        Audio(b"a", data="YQ==")


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_file_is_read_when_its_path_is_given_by_name(
    tmp_path: Path, as_path: Any
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)

    assert Image.from_path(as_path(path)).url == PNG_URL
    assert File.from_path(as_path(path)) == File(file_data=PNG_URL, filename="a.png")


@pytest.mark.parametrize("name", ["bare", "a.bin"])
def test_a_name_that_tells_nothing_leaves_it_to_the_bytes(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(PNG)

    assert Image.from_path(path).url == PNG_URL


@pytest.mark.parametrize("name", ["bare", "a.bin"])
def test_a_file_that_nothing_tells_to_be_a_picture_is_refused(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"no picture")

    with pytest.raises(ContentError, match="expected a picture"):
        Image.from_path(path)


def test_a_path_may_be_given_another_name_and_type(tmp_path: Path) -> None:
    path = tmp_path / "a.unheard-of"
    path.write_bytes(b"a")

    plain = File.from_path(path)
    named = File.from_path(path, filename="b.txt", mime_type="text/plain")

    assert plain.file_data == "data:application/octet-stream;base64,YQ=="
    assert named == File(file_data="data:text/plain;base64,YQ==", filename="b.txt")


@pytest.mark.parametrize("read", [Image.from_path, File.from_path, Audio.from_path])
def test_a_path_without_a_file_is_an_error_that_names_it(
    read: Any, tmp_path: Path
) -> None:
    with pytest.raises(ContentError, match=r"File not found at .*absent\.png"):
        read(tmp_path / "absent.png")


def test_older_names_do_the_same_and_say_what_to_write(tmp_path: Path) -> None:
    picture, sound = tmp_path / "a.png", tmp_path / "a.wav"
    picture.write_bytes(PNG)
    sound.write_bytes(b"a")

    with pytest.warns(DeprecationWarning, match=r"write Image\.from_path\(\)"):
        assert Image.from_file(picture) == Image(PNG)
    with pytest.warns(DeprecationWarning, match=r"write Image\(pil_image\)"):
        assert Image.from_PIL(Picture("PNG")) == Image(PNG)
    with pytest.warns(DeprecationWarning, match=r"write Audio\.from_path\(\)"):
        assert Audio.from_file(sound) == Audio(b"a", audio_format="wav")


def test_a_file_that_is_no_sound_is_refused_as_audio(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)

    with pytest.raises(ContentError, match="is image/png; expected audio"):
        Audio.from_path(path)


def test_a_sound_file_tells_its_format_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"a")

    assert Audio.from_path(path) == Audio(b"a", audio_format="wav")


def test_files_are_made_of_bytes_and_ids() -> None:
    held = File.from_bytes(b"a", filename="a.txt", mime_type="text/plain")
    named = File.from_file_id("file-1")

    content = {"file_data": "data:text/plain;base64,YQ==", "filename": "a.txt"}
    assert held.format() == [{"type": "file", "file": content}]
    assert named.format() == [{"type": "file", "file": {"file_id": "file-1"}}]
    assert File(b"a", filename="b") == File.from_bytes(b"a", filename="b")
    assert File(held) == held
    assert File("data:text/plain;base64,YQ==", filename="a.txt") == held


def test_sounds_are_made_of_bytes_urls_and_mappings() -> None:
    sound = {"data": "YQ==", "audio_format": "mp3"}

    made = Audio(b"a", audio_format="mp3")

    assert made == Audio(sound) == Audio("data:audio/x-mp3;base64,YQ==") == Audio(made)
    assert made.format() == [
        {"type": "input_audio", "input_audio": {"data": "YQ==", "format": "mp3"}}
    ]


def test_a_format_beside_a_source_that_has_one_is_refused() -> None:
    fields = {"data": "YQ==", "audio_format": "wav"}
    for source in ("data:audio/wav;base64,AA==", Audio(b"a"), fields):
        with pytest.raises(TypeError, match="carries its format"):
            Audio(source, audio_format="mp3")
    with pytest.raises(TypeError, match="sampling_rate"):
        Audio(b"a", sampling_rate=8_000)


@pytest.mark.parametrize(
    ("samples", "channels", "levels"),
    [
        ([0.0, 1.0, -1.0, 2.0], 1, [0, 32_767, -32_767, 32_767]),
        ([0, 5, -40_000], 1, [0, 5, -32_768]),
        ([[0.0, 1.0], [0.5, -1.0]], 2, [0, 32_767, 16_384, -32_767]),
        ([], 1, []),
    ],
)
def test_samples_become_a_wav_file(
    samples: list[Any], channels: int, levels: list[int]
) -> None:
    audio = Audio(samples, sampling_rate=8_000)

    with wave.open(io.BytesIO(base64.b64decode(audio.data))) as sound:
        assert sound.getframerate() == 8_000
        assert sound.getnchannels() == channels
        frames = sound.readframes(sound.getnframes())
    assert memoryview(frames).cast("h").tolist() == levels


def test_samples_in_another_format_are_refused() -> None:
    with pytest.raises(ContentError, match="expected 'wav'"):
        Audio.from_array([0.0], 8_000, format="mp3")


def test_a_download_is_held_as_a_data_url(site: str) -> None:
    assert Image.from_url(f"{site}/a.png").url == PNG_URL
    assert Image.from_url(f"{site}/to?/a.png").url == PNG_URL
    assert Image.from_url(f"{site}/bare").url == PNG_URL
    assert Image.from_url(f"{site}/store").url == PNG_URL
    assert Audio.from_url(f"{site}/a.wav", verify=False).audio_format == "wav"


def test_a_download_that_fails_is_an_error_with_the_reason(site: str) -> None:
    with pytest.raises(ContentError, match="404"):
        Image.from_url(f"{site}/absent")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a"])
def test_a_redirect_out_of_the_web_is_not_followed(site: str, target: str) -> None:
    with pytest.raises(ContentError, match="302"):
        Image.from_url(f"{site}/to?{target}")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "/etc/passwd", "data:,a"])
@pytest.mark.usefixtures("nothing_is_read")
def test_only_web_addresses_are_downloaded(address: str) -> None:
    with pytest.raises(ContentError, match="expected an http or https address"):
        Image.from_url(address)
    with pytest.raises(ContentError, match="expected an http or https address"):
        Audio.from_url(address)


def test_a_download_too_large_is_refused(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_media, "LARGEST_DOWNLOAD", 10)

    with pytest.raises(ContentError, match="larger than 10 bytes"):
        Image.from_url(f"{site}/a.png")


@pytest.mark.parametrize(
    "made", [Image(PNG), Image("https://a.b/c"), File(b"a", filename="b"), Audio(b"a")]
)
def test_a_saved_value_is_read_again(made: Any) -> None:
    kind: Any = type(made)
    adapter: TypeAdapter[Any] = TypeAdapter(list[kind])

    text = adapter.dump_json([made])

    assert adapter.validate_json(text) == [made]
    assert text.startswith(f'["{PARTS_START}[{{'.encode())


@pytest.mark.parametrize("kind", [Image, File, Audio])
def test_parts_of_another_kind_are_refused(kind: Any) -> None:
    saved = f'{PARTS_START}[{{"type": "text"}}]{PARTS_END}'

    with pytest.raises(ValidationError, match=f"are no {kind.__name__}"):
        TypeAdapter(kind).validate_python(saved)
