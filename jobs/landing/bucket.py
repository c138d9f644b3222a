"""Files that a source puts into an object store: copied to its drop folder, under the names that they have there.

The address is `s3://key:secret@bucket/prefix?endpoint_override=host:port&scheme=http&region=…`, as pyarrow reads it;
without key and secret, what the machine's own AWS settings say. Below the prefix lie the folders that contracts name.
An object is there whole or not at all, so nothing is read before it is complete.
"""

import os
import re
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pyarrow import fs

from jobs.kit.contracts import Contract
from jobs.landing.pulls import PullError

# Stores tell time by the second: an object written less than this ago may change again without its time changing, so
# its copy is not trusted to be the same, and is made again.
_SETTLED = timedelta(seconds=2)


def copy_new(contract: Contract, address: str, folder: Path, *, as_of: date) -> list[Path]:
    """Copy what the drop folder does not have, or has in another version; what is dated after `as_of` waits.

    A copy gets the object's time, by which the next run knows it. Names that the contract does not expect are copied
    too: landing refuses them by name.
    """
    assert contract.drop
    try:
        store, root = fs.FileSystem.from_uri(address)
        if store.get_file_info(root.split("/")[0]).type == fs.FileType.NotFound:
            raise ValueError("there is no such bucket")
        found = store.get_file_info(fs.FileSelector(f"{root}/{contract.drop.folder}", allow_not_found=True))
        objects = [o for o in found if o.is_file and _is_due(contract, o.base_name, as_of)]
        return [_copy(store, o, folder) for o in objects if not _is_there(folder / o.base_name, o)]
    except (OSError, ValueError) as error:  # what pyarrow says may hold the address
        where = urlsplit(address).hostname
        why = re.sub(r"\s+", " ", str(error).replace(address, "the address")).split("Detail:")[0][:200]
        raise PullError(f"{contract.source}: the bucket {where} could not be read ({why})") from None


def _is_due(contract: Contract, name: str, as_of: date) -> bool:
    assert contract.drop
    told = re.fullmatch(contract.drop.name, name)
    try:
        return not told or date.fromisoformat(told["file_date"]) <= as_of
    except ValueError:  # 2017-02-30: landing tells
        return True


def _is_there(path: Path, found: fs.FileInfo) -> bool:
    return path.exists() and path.stat().st_size == found.size and path.stat().st_mtime_ns == found.mtime_ns


def _copy(store: fs.FileSystem, found: fs.FileInfo, folder: Path) -> Path:
    part = folder / f".{found.base_name}.tmp"
    with store.open_input_stream(found.path) as source, part.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    if found.mtime < datetime.now(UTC) - _SETTLED:
        os.utime(part, ns=(found.mtime_ns, found.mtime_ns))
    return part.replace(folder / found.base_name)
