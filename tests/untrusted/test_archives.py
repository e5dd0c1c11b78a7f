import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from pathlib import Path

import mutations
import pytest

from zoo import messages
from zoo.untrusted import archives, child

TARS = {"a.tar": "w", "a.tar.gz": "w:gz", "a.tar.xz": "w:xz", "a.tar.bz2": "w:bz2"}
GOOD = {"zoo/run 1/params.json": b"{}", "zoo/run 1/checkpoint_1/checkpoints": b"x" * 1000, "zoo/ü.csv": b""}


def tar(path: Path, members: dict[str, bytes], **fields: object) -> Path:
    """A tar of these files; `fields` are set in the last one's header."""
    with tarfile.open(path, TARS.get(path.name, "w")) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            if name == list(members)[-1]:
                for field, value in fields.items():
                    setattr(about, field, value)
            archive.addfile(about, io.BytesIO(data))
    return path


def zipped(path: Path, members: dict[str, bytes], *, mode: int = 0, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            about = zipfile.ZipInfo("x")
            about.filename, about.compress_type = name, compression  # the constructor would change some names
            about.external_attr = (mode if name == list(members)[-1] else 0) << 16
            archive.writestr(about, data)
    return path


def look(archive: Path, tmp_path: Path) -> str:
    """What is said of an archive that is refused; the work itself, here, as a child for each would take long."""
    tmp_path.mkdir(exist_ok=True)
    with pytest.raises(ValueError, match=r".") as caught:
        archives.extract(archive=str(archive), folder=str(tmp_path / "looked"), most=2**20)
    return messages.plain(caught.value)


def nothing_escaped(tmp_path: Path) -> bool:
    outside = [path for path in tmp_path.rglob("*") if (tmp_path / "looked") not in path.parents]
    return {path.name for path in outside} <= {"looked", *TARS, "a.zip", "marker"}


@pytest.mark.parametrize("name", [*TARS, "a.zip"])
def test_archives_unpack_to_what_was_packed(tmp_path, name):
    archive = zipped(tmp_path / name, GOOD) if name == "a.zip" else tar(tmp_path / name, GOOD)
    assert archives.is_archive(archive)
    folder = archives.unpack(archive, tmp_path / "new" / "folder")
    assert folder == tmp_path / "new" / "folder"
    assert {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == GOOD
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_folders_of_their_own_and_dots_in_front_are_fine(tmp_path):
    (tmp_path / "zoo" / "empty").mkdir(parents=True)
    (tmp_path / "zoo" / "a").write_bytes(b"1")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "zoo", "./")
    folder = archives.unpack(tmp_path / "a.tar", tmp_path / "folder")
    assert sorted(path.name for path in folder.iterdir()) == ["a", "empty"]


def test_names_with_colons_such_as_ray_gives_its_trials_are_kept(tmp_path):
    folder = archives.unpack(zipped(tmp_path / "a.zip", {"run_model::dropout=0.1/params.json": b"1"}), tmp_path / "folder")
    assert (folder / "params.json").exists() or (folder / "run_model::dropout=0.1/params.json").exists()


def test_a_file_gets_no_rights_from_the_archive(tmp_path):
    folder = archives.unpack(tar(tmp_path / "a.tar", {"a": b"1"}, mode=0o6777, uid=0), tmp_path / "folder")
    assert stat.S_IMODE((folder / "a").stat().st_mode) & 0o7111 == 0


EVIL_NAMES = [
    "../marker",
    "zoo/../../marker",
    "/tmp/marker",
    "zoo\\..\\marker",
    "C:/marker",
    "zoo//marker",
    "zoo/\x1b[2Jmarker",
    "zoo/" + "m" * 300,
    "/".join("m" * 40),
    "m/" * 600 + "m",
]


@pytest.mark.parametrize("name", EVIL_NAMES)
@pytest.mark.parametrize("pack", [tar, zipped])
def test_paths_that_lead_elsewhere_are_refused(tmp_path, pack, name):
    archive = pack(tmp_path / ("a.zip" if pack is zipped else "a.tar"), {"good": b"1", name: b"2"})
    message = look(archive, tmp_path)
    assert any(part in message for part in ("is no path below", "has control characters", "is too long or too deep"))
    assert message.isprintable()
    assert not list(tmp_path.rglob("marker"))
    assert not Path("/tmp/marker").exists()


@pytest.mark.parametrize("kind", ["LNKTYPE", "SYMTYPE", "CHRTYPE", "BLKTYPE", "FIFOTYPE", "GNUTYPE_SPARSE"])
def test_links_devices_and_pipes_in_a_tar_are_refused(tmp_path, kind):
    archive = tar(tmp_path / "a.tar", {"good": b"", "evil": b""}, type=getattr(tarfile, kind), linkname="/etc/passwd")
    assert "'evil' is a" in look(archive, tmp_path)
    assert nothing_escaped(tmp_path)


def test_a_file_written_through_a_link_of_the_archive_stays_inside(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        archive.addfile(link)
        about = tarfile.TarInfo("out/marker")
        archive.addfile(about)
    assert "'out' is a link" in look(tmp_path / "a.tar", tmp_path)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o666, stat.S_IFCHR, stat.S_IFDIR])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, mode):
    assert "'evil' is a link or a device" in look(zipped(tmp_path / "a.zip", {"evil": b"/etc"}, mode=mode), tmp_path)


def test_encrypted_and_strangely_packed_members_are_refused(tmp_path):
    assert "not supported" in look(zipped(tmp_path / "a.zip", {"a": b"1"}, compression=zipfile.ZIP_LZMA), tmp_path)
    data = bytearray(zipped(tmp_path / "a.zip", {"a": b"1"}).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert "encrypted" in look(tmp_path / "a.zip", tmp_path / "again")


@pytest.mark.parametrize(
    "names",
    [
        ("zoo/a", "zoo/a"),
        ("zoo/a", "zoo/A"),
        ("zoo/a", "ZOO/b"),
        ("u\u0308", "\u00fc"),
        ("stra\u00dfe", "STRASSE"),
        ("zoo", "zoo/a"),
        ("zoo/a", "zoo"),
        ("zoo/a", "./zoo/a"),
    ],
)
def test_members_that_clash_are_refused(tmp_path, names):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    assert "one path on some systems" in look(tmp_path / "a.tar", tmp_path)


@pytest.mark.parametrize("name", [".", "./", ""])
def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, name):
    assert "called like the archive's own folder" in look(tar(tmp_path / "a.tar", {name: b"1"}), tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_member_that_stands_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", b"1")
        archive.writestr("a", b"2")
    assert "one path on some systems" in look(tmp_path / "a.zip", tmp_path)


@pytest.mark.parametrize("pack", [tar, zipped])
def test_bombs_are_refused_before_they_are_written(tmp_path, monkeypatch, pack):
    archive = pack(tmp_path / ("a.zip" if pack is zipped else "a.tar.gz"), {"a": bytes(300_000), "b": bytes(300_000)})
    monkeypatch.setattr(archives, "FREE_BYTES", 400_000)
    monkeypatch.setattr(archives, "RATIO", 10)
    assert "a bomb?" in look(archive, tmp_path)
    monkeypatch.setattr(archives, "RATIO", 10_000)
    assert archives.extract(archive=str(archive), folder=str(tmp_path / "fine"), most=600_000) == 2
    with pytest.raises(ValueError, match="more than 600,000 bytes"):
        archives.extract(archive=str(archive), folder=str(tmp_path / "more"), most=599_999)


def test_a_header_that_claims_more_than_there_is_is_refused(tmp_path):
    huge = tarfile.TarInfo("a")
    huge.size = 2**40
    (tmp_path / "a.tar").write_bytes(huge.tobuf() + bytes(10240))
    assert "more than 1,099,511,627,776 bytes" in look(tmp_path / "a.tar", tmp_path)
    archive = tar(tmp_path / "a.tar", {"a": b"1"})
    archive.write_bytes(archive.read_bytes()[:512])
    assert "unexpected end of data" in look(archive, tmp_path / "again")


def test_a_name_with_an_end_in_it_is_refused(tmp_path):
    assert "has a NUL" in look(zipped(tmp_path / "a.zip", {"good\0evil": b"1"}), tmp_path)


def test_what_goes_on_behind_the_last_member_is_refused(tmp_path):
    archive = tar(tmp_path / "a.tar", GOOD)
    packed = gzip.compress(archive.read_bytes() + bytes(archives.TAIL_BYTES + 2**20))
    (tmp_path / "a.tar.gz").write_bytes(packed)
    assert "behind its last member" in look(tmp_path / "a.tar.gz", tmp_path)


def test_a_negative_size_is_refused(tmp_path):
    archive = tar(tmp_path / "a.tar", {"a": b""}, pax_headers={"size": "-5"})
    assert "a.tar" in look(archive, tmp_path)


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MEMBERS", 10)
    assert "more than 10 files and folders" in look(tar(tmp_path / "a.tar", {f"{n}": b"" for n in range(11)}), tmp_path)


def test_a_checksum_behind_the_last_member_counts(tmp_path):
    archive = tar(tmp_path / "a.tar.gz", GOOD)
    data = bytearray(archive.read_bytes())
    data[-6] ^= 1  # of the checksum of all
    archive.write_bytes(data)
    assert "CRC" in look(archive, tmp_path)


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04", b"\x1f\x8b", b"\xfd7zXZ\x00"])
def test_what_is_no_archive_is_refused(tmp_path, data):
    (tmp_path / "a.tar").write_bytes(data)
    assert "no archive that can be read" in look(tmp_path / "a.tar", tmp_path)


def test_a_refused_archive_leaves_nothing(tmp_path):
    archive = tar(tmp_path / "a.tar", {"good": b"1", "../marker": b"2"})
    with pytest.raises(ValueError, match=r"'\.\./marker' is no path below"):
        archives.unpack(archive, tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def test_a_full_disk_leaves_nothing(tmp_path):
    """The limit on files of the child stands in for it: writing fails in the middle of a file."""
    archive = tar(tmp_path / "a.tar", {"a": bytes(10_000)})
    call = child.call

    def small(function, arguments, **limits):
        return call(function, arguments, **{**limits, "writes": 5000})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.untrusted.child.call", small)
        with pytest.raises(OSError, match="too large"):
            archives.unpack(archive, tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def test_memory_that_a_header_asks_for_is_limited(tmp_path):
    """A name of three gigabytes, which xz packs into half a megabyte: tarfile reads names whole."""
    about = tarfile.TarInfo("././@LongLink")
    about.type, about.size = tarfile.GNUTYPE_LONGNAME, 3 * 2**30
    packer = lzma.LZMACompressor(preset=0)
    with (tmp_path / "a.tar.xz").open("wb") as file:
        file.write(packer.compress(about.tobuf(tarfile.GNU_FORMAT)))
        zeros = bytes(2**20)
        for _ in range(256):  # the rest is not needed for the attempt
            file.write(packer.compress(zeros))
        file.write(packer.flush())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "MEMORY", 2**28)
        with pytest.raises(ValueError, match="bytes of memory"):
            archives.unpack(tmp_path / "a.tar.xz", tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.xz"]


def test_an_existing_folder_is_never_touched(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileExistsError, match="give a new folder"):
        archives.unpack(tar(tmp_path / "a.tar", GOOD), tmp_path / "folder")
    with pytest.raises(FileNotFoundError, match="no such archive"):
        archives.unpack(tmp_path / "b.tar", tmp_path / "other")
    assert not list((tmp_path / "folder").iterdir())


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz", "zip"])
def test_random_damage_is_refused_cleanly_or_harmless(standard, kind):
    data, known = mutations.samples(standard)[kind]
    found = mutations.run(kind, data, 300, seed=0, about=known)
    assert sum(found.values()) == 300
    assert not [outcome for outcome in found if outcome.startswith("raised")]
    assert found["refused"] > 50
