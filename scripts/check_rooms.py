#!/usr/bin/env python3
"""Checks that every file includes only what its room may know (docs/ROOMS.md, CONTRIBUTING.md)."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# In the order in which they may know each other: a room may include itself and rooms before it.
ROOMS = ["core", "models", "parallel", "io", "structure_factors", "spotfinding", "refinement",
         "indexing", "integration", "merging", "diffraction", "pixelrefinement", "pipeline",
         "report", "programs"]
# Rooms before it that a room must not know all the same.
FORBIDDEN = {
    "io": {"parallel"},
    "structure_factors": {"parallel"},
    "spotfinding": {"parallel", "io", "structure_factors"},
    "refinement": {"parallel", "io", "structure_factors"},
    "indexing": {"parallel", "io", "structure_factors"},
    "integration": {"parallel", "io", "structure_factors"},
    "merging": {"io"},
    "diffraction": {"parallel", "io"},
    "pixelrefinement": {"io"},
    "pipeline": {"parallel", "io", "structure_factors"},
}
# Headers that belong to one room, and the rooms that may include them.
OWNED = {
    r"mpi\.h": {"parallel"},
    r"hdf5(_hl)?\.h|H5\w+\.h": {"io"},
    r"cbf\w*\.h|cbflib/.*": {"io"},
    r"lz4\.h": {"io"},
    r"msgpack.*": {"io"},
    r"spdlog/.*": {"core"},
    r"boost/program_options.*": {"core"},
    r"sqlite3\.h": {"report"},
    r"Kokkos_(?!Macros).*": {"kernels", "programs"},
    r"gemmi/.*": {"models", "io", "structure_factors"},
}
PUBLIC_FORBIDDEN = re.compile(r"(Eigen|gemmi|msgpack|hdf5|mpi|boost)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]')
KOKKOS_BODY = re.compile(r"\bKOKKOS_(CLASS_)?LAMBDA\b|\bKokkos::parallel_\w+")


def room_of(path):
    parts = path.relative_to(ROOT).parts
    if parts[0] == "kernels":
        return "kernels"
    if parts[0] == "src":
        return parts[1]
    if parts[:2] == ("include", "kilobragg"):
        return parts[2]
    return "apps" if parts[0] == "apps" else None


def may_know(room, other):
    if other in (room, "kernels"):
        return True
    if room in ("kernels",):
        return False
    if room == "apps":
        return other in ("core", "programs")
    return ROOMS.index(other) < ROOMS.index(room) and other not in FORBIDDEN.get(room, set())


def check(path):
    room = room_of(path)
    public = path.relative_to(ROOT).parts[0] == "include"
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        place = f"{path.relative_to(ROOT)}:{number}"
        if room != "kernels" and KOKKOS_BODY.search(line):
            yield f"{place}: a Kokkos body outside kernels/ (host rooms call functions of kernels/)"
        match = INCLUDE.match(line)
        if not match:
            continue
        name = match.group(1)
        inner = re.match(r"kilobragg/(\w+)/", name)
        if inner and inner.group(1) not in ROOMS:
            yield f"{place}: unknown room '{inner.group(1)}'"
        elif inner and not may_know(room, inner.group(1)):
            yield f"{place}: room '{room}' must not know '{inner.group(1)}'"
        for pattern, owners in OWNED.items():
            if re.fullmatch(pattern, name) and room not in owners:
                yield f"{place}: only {', '.join(sorted(owners))} may include <{name}>"
        if public and PUBLIC_FORBIDDEN.match(name):
            yield f"{place}: a public header must not show <{name}> (include it in the source)"
    if room == "apps" and len(lines) > 150:
        yield f"{path.relative_to(ROOT)}: {len(lines)} lines (an app parses options and calls a program; at most 150)"


def main():
    errors = []
    for top in ("include", "src", "kernels", "apps"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".hpp", ".cpp"):
                errors += check(path)
    print("\n".join(errors) or "rooms: every include is where it may be")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
