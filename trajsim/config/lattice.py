"""`[lattice]` of a config, written out as named sites and bonds before anything else reads them.

A site is named by its coordinates, from 0, joined by "_"; bonds join neighbours along each axis.
Sites and bonds that the config lists besides add keys to those of the same name, or are more.
"""

import copy
import itertools
import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from trajsim.config.base import Allowed, Strict
from trajsim.config.faults import Loc

# Sites at most, and the memory that each takes with its bonds, on a plane.
MOST_SITES, BYTES_A_SITE = 65_536, 3_000

Length = Annotated[
    int,
    Allowed(
        lambda length: 1 <= length <= MOST_SITES,
        f"an integer >= 1 and <= {MOST_SITES}",
        minimum=1,
        maximum=MOST_SITES,
    ),
]


class Lattice(Strict):
    """Sites at the points of a rectangular lattice, and bonds between neighbours."""

    shape: list[Length] = Field(
        min_length=1, max_length=8, description="how many sites along each axis"
    )
    periodic: bool | list[bool] = Field(
        default=False, description="whether the last site of an axis is bonded to the first"
    )
    baths: list[str] | None = Field(
        default=None, min_length=1, description="names, given in turn to the sites"
    )
    arrangement: Literal["alternating", "halves"] = Field(
        default="alternating",
        description="of the baths: by the sum of the coordinates, or in slabs along the first axis",
    )
    site: dict[str, Any] = Field(default={}, description="keys of all sites, but name")
    bond: dict[str, Any] | None = Field(
        default=None, description="keys of all bonds, but sites; none without it"
    )


# The key of experiments whose sites and bonds may be those of a lattice.
OnLattice = Annotated[
    Lattice | None, Field(description="sites and bonds of a lattice, written out before all else")
]


class Places(NamedTuple):
    """Where sites and bonds that were written out come from: ("sites", k) in a list, or neither.

    listed : place in the config of each entry that it lists, by its place in the new lists
    baths : whether the lattice gives sites their baths
    """

    listed: dict[Loc, Loc]
    baths: bool

    def of(self, loc: Loc, lines: dict[Loc, int]) -> Loc:
        """Place in the config, with its lines, of a place in the new lists."""
        if len(loc) < 2 or loc[0] not in ("sites", "bonds"):
            return loc
        listed = self.listed.get(loc[:2])
        if listed is not None and (*listed, *loc[2:3]) in lines:
            return (*listed, *loc[2:])
        if self.baths and loc[2:3] == ("bath",):
            return ("lattice", "baths")
        return ("lattice", str(loc[0])[:-1], *loc[2:])


def faults_of(lattice: Lattice) -> Iterator[tuple[Loc, str]]:
    """What does not fit in a lattice of which every key is allowed."""
    if math.prod(lattice.shape) > MOST_SITES:
        many = math.prod(lattice.shape)
        found, most = (f"{n * BYTES_A_SITE / 1e6:.3g} MB" for n in (many, MOST_SITES))
        yield (
            ("lattice", "shape"),
            f"found {lattice.shape}, {many} sites, which take some {found} of memory; "
            f"allowed: at most {MOST_SITES}, {most}",
        )
    if isinstance(lattice.periodic, list) and len(lattice.periodic) != len(lattice.shape):
        yield (
            ("lattice", "periodic"),
            f"found {len(lattice.periodic)} entries; allowed: one for each of the "
            f"{len(lattice.shape)} axes, or one for all",
        )
    for key in ("bath", "baths"):
        if lattice.baths is not None and key in lattice.site:
            yield ("lattice", "site", key), "found beside lattice.baths; allowed: one of the two"
    for table, key in (("site", "name"), ("bond", "sites")):
        if key in (getattr(lattice, table) or {}):
            yield ("lattice", table, key), f"found; the lattice has its own {key}"


def written_out(lattice: Lattice, data: dict[str, Any]) -> tuple[dict[str, Any], Places]:
    """Config without its lattice but with all sites and bonds of it, and where these come from.

    Parameters
    ----------
    lattice : without faults
    data : raw config, of which sites and bonds are kept
    """
    sites, bonds = _sites(lattice), _bonds(lattice)
    places = Places({}, lattice.baths is not None)
    out = {key: value for key, value in data.items() if key != "lattice"}
    for table, entries in (("sites", sites), ("bonds", bonds)):
        listed = data.get(table, [])
        if isinstance(listed, list):
            by_name = {_name(entry): k for k, entry in enumerate(entries)}
            for k, entry in enumerate(listed):
                at = by_name.get(_name(entry), len(entries))
                if at == len(entries):
                    entries.append(entry)
                else:
                    entries[at] = {**entries[at], **entry}
                places.listed[table, at] = (table, k)
            out[table] = entries
    return out, places


def _name(entry: Any) -> Any:
    """What tells a site or a bond from others."""
    if not isinstance(entry, dict):
        return id(entry)
    ends = entry.get("sites")
    return frozenset(map(str, ends)) if isinstance(ends, list) else str(entry.get("name"))


def _points(lattice: Lattice) -> Iterator[tuple[int, ...]]:
    return itertools.product(*(range(length) for length in lattice.shape))


def _site_name(point: tuple[int, ...]) -> str:
    return "_".join(map(str, point))


def _sites(lattice: Lattice) -> list[dict[str, Any]]:
    sites = []
    for point in _points(lattice):
        site = {"name": _site_name(point), **copy.deepcopy(lattice.site)}
        if lattice.baths is not None:
            number = sum(point) % len(lattice.baths)
            if lattice.arrangement == "halves":
                number = point[0] * len(lattice.baths) // lattice.shape[0]
            site["bath"] = lattice.baths[number]
        sites.append(site)
    return sites


def _bonds(lattice: Lattice) -> list[dict[str, Any]]:
    if lattice.bond is None:
        return []
    around = lattice.periodic
    periodic = around if isinstance(around, list) else [around] * len(lattice.shape)
    bonds = []
    for point in _points(lattice):
        for axis, length in enumerate(lattice.shape):
            following = point[axis] + 1
            # Two sites of a periodic axis are neighbours once.
            if following == length and not (periodic[axis] and length > 2):
                continue
            other = (*point[:axis], following % length, *point[axis + 1 :])
            ends = [_site_name(point), _site_name(other)]
            bonds.append({"sites": ends, **copy.deepcopy(lattice.bond)})
    return bonds
