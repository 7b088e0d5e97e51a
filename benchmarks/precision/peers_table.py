"""What `scripts/bench precision --peers FILE...` prints below its own tables: the best other runtime in each precision, from
the files that `scripts/bench peers --precision P --json FILE` has written, beside tenon in the same run."""
import json
import pathlib

NETWORK, BATCH = "ResNet50V2", 1
PRECISIONS = ("float32", "bfloat16", "int8")


class PeersError(Exception):
    pass


def rows_of(path):
    """The rows of a file that are about the network and the batch. Raises PeersError, naming the file."""
    made_by = f"expected what `scripts/bench peers --precision P --network {NETWORK} --batch {BATCH} --json FILE` writes"
    try:
        rows = json.loads(pathlib.Path(path).read_text())["rows"]
        rows = [row for row in rows if (row["net"], row["batch"]) == (NETWORK, BATCH)]
        for row in rows:
            row["precision"], int(row["threads"]), str(row["peer"]), float(row["ours_ms"]), 1 / row["peer_ms"]
    except OSError as error:
        raise PeersError(f"{path}: cannot read the file: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise PeersError(f"{path}: {made_by}, found {type(error).__name__}: {error}") from None
    if not rows:
        raise PeersError(f"{path}: {made_by}, found no row of {NETWORK} with batch {BATCH}")
    return rows


def table(paths):
    """The lines of the table: one row per precision and number of threads, with the fastest peer of all files."""
    best = {}
    for row in (row for path in paths for row in rows_of(path)):
        key = row["precision"], row["threads"]
        if key not in best or row["peer_ms"] < best[key]["peer_ms"]:
            best[key] = row
    order = sorted(best, key=lambda key: (PRECISIONS.index(key[0]) if key[0] in PRECISIONS else len(PRECISIONS), key))
    lines = [f"| {NETWORK}, beside the best peer | threads | tenon ms | peer | peer ms | ratio |",
             "| --- | ---: | ---: | --- | ---: | ---: |"]
    for precision, threads in order:
        row = best[precision, threads]
        lines.append(f"| {precision} | {threads} | {row['ours_ms']:.2f} | {row['peer']} | {row['peer_ms']:.2f} "
                     f"| {row['ours_ms'] / row['peer_ms']:.2f} |")
    missing = [precision for precision in PRECISIONS if precision not in {key[0] for key in best}]
    if missing:
        lines.append(f"\nNo peer was measured in {' and '.join(missing)}.")
    return lines
