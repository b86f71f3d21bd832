"""Rows of JSON, and the tables made of them."""

import statistics

GRIMACE = "grimace"
NO_TIME = "not run: no time left"
MOST_KERNELS = 30  # in the table; the JSON file has all


def label(row):
    return f"{row['work']} {row['precision']} batch {row['batch']}"


def median(samples, key):
    found = [sample[key] for sample in samples if sample.get(key) is not None]
    return statistics.median(found) if found else None


def rounded(number, digits=None):
    return None if number is None else round(number, digits)


def figures(samples, row, gflop, ceiling, prefix):
    speed = median(samples, "clips_per_s")
    found = {
        "clips_per_s": round(speed, 3),
        "ms": round(1000 * row["batch"] / speed, 2),
        "peak_mb": rounded(median(samples, "peak_mb")),
        "others": max(sample["others"] for sample in samples),
        "idle_before": min(sample["idle_before"] for sample in samples),
        "samples": [round(sample["clips_per_s"], 3) for sample in samples],
    }
    for key in ("planned_mb", "reserved_mb", "allocated_mb"):  # on a GPU, inside its peak_mb
        if row.get("backend") == "cuda" and (amount := median(samples, key)) is not None:
            found[key] = round(amount)
    peak = ceiling.get(row["precision"])
    if gflop and peak:
        found["ceiling_share"] = round(gflop * speed / row["batch"] / peak, 4)
    return {prefix + key: value for key, value in found.items()}


def rows_of(row, peers, samples, failed, ceiling):
    """One JSON row for each peer, beside Grimace's figures."""
    own = samples.get(GRIMACE)
    gflop = own[0].get("gflop_per_step") if own else None
    base = {**row, **(figures(own, row, gflop, ceiling, "") if own else {})}
    if GRIMACE in failed:
        base["grimace"] = failed[GRIMACE]
    rows = []
    for peer in peers:
        entry = {**base, "peer": peer}
        if peer in samples:
            theirs = samples[peer]
            entry |= figures(theirs, row, gflop, ceiling, "peer_")
            entry["peer_version"] = theirs[0]["version"]
            if theirs[0]["logit_error"] is not None:
                entry["peer_logit_error"] = theirs[0]["logit_error"]
            entry["peer_started_mb"] = round(median(theirs, "started_mb"))
            if own:
                entry["ratio"] = round(base["clips_per_s"] / entry["peer_clips_per_s"], 3)
        else:
            entry["peer_failed"] = failed.get(peer, NO_TIME)
        rows.append(entry)
    return rows


def cell(value, form):
    return format(value, form) if value is not None else "-"


def table_line(row, best):
    if "peer_failed" in row:
        speed = cell(row.get("clips_per_s"), ".2f")
        return f"| {label(row)} | {speed} | | | {row['peer']} | {row['peer_failed']} | | | | |"
    name = f"**{row['peer']}**" if best else row["peer"]
    cells = [label(row)]
    for prefix, who in (("", None), ("peer_", name)):
        cells += [who] if who else []
        cells += [
            cell(row.get(prefix + "clips_per_s"), ".2f"),
            cell(row.get(prefix + "peak_mb"), "d"),
            cell(row.get(prefix + "ceiling_share"), ".0%"),
        ]
    others = max(row.get("others", 0), row["peer_others"])
    return "| " + " | ".join([*cells, cell(row.get("ratio"), ".2f"), f"{others:.0%}"]) + " |"


def make_table(rows):
    """Markdown; the fastest peer of each row is bold."""
    best = {}
    for row in rows:
        if row.get("peer_clips_per_s", 0) > best.get(label(row), ({}, 0))[1]:
            best[label(row)] = (row, row["peer_clips_per_s"])
    lines = [
        "| work | clips/s | peak MB | of ceiling "
        "| peer | clips/s | peak MB | of ceiling | ratio | others |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [table_line(row, best.get(label(row), (None,))[0] is row) for row in rows]
    return "\n".join(lines) + "\n"


def make_kernel_table(name, profile):
    """Grimace's kernels in one step, the longest first."""
    lines = [f"{name}, Grimace's step op by op: {profile['step_ms']:.2f} ms, each op timed", ""]
    lines += ["| op | types | nodes | ms | TFLOP/s | GB/s | of roofline |"]
    lines += ["|---|---|---|---|---|---|---|"]
    kernels = sorted(profile["rows"], key=lambda row: -row["ms"])
    for row in kernels[:MOST_KERNELS]:
        percent = row.get("roofline_percent")
        lines.append(
            f"| {row['op']} | {row['types']} | {row['count']:.0f} | {row['ms']:.3f} "
            f"| {(row['gflops'] or 0) / 1000:.1f} | {row['gbytes_per_s'] or 0:.0f} "
            f"| {f'{percent:.0f} %' if percent else '-'} |"
        )
    rest = sum(row["ms"] for row in kernels[MOST_KERNELS:])
    if rest:
        lines.append(f"| {len(kernels) - MOST_KERNELS} more | | | {rest:.3f} | | | |")
    return "\n".join(lines) + "\n"


def heading(report):
    """When and where: one line of Markdown."""
    where = report.get("gpu") or report["machine"]
    parts = [report["date"], where]
    if "driver" in report:
        parts.append(f"driver {report['driver']}")
    versions = {row["peer_version"] for row in report["rows"] if "peer_version" in row}
    parts += [*sorted(versions), f"{report['rounds']} rounds"]
    ceilings = ", ".join(f"{name} {peak:.0f}" for name, peak in report["ceiling_gflops"].items())
    return f"{'; '.join(parts)}. Ceilings in GFLOP/s: {ceilings}.\n"


def make_page(report):
    tables = [heading(report), make_table(report["rows"])]
    for name, profile in report.get("kernels", {}).items():
        tables.append(make_kernel_table(name, profile))
    return "\n".join(tables)
