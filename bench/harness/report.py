"""The readable table."""


def shown(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(results, out):
    rows = [("figure", "value", "unit", "goal", "holds", "against")]
    for r in results:
        holds = {True: "yes", False: "NO", None: ""}[r.holds()]
        rows.append((r.figure.name, shown(r.value), r.figure.unit, r.figure.goal_text(), holds,
                     f"{r.figure.against}: {r.detail}"))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for n, row in enumerate(rows):
        cells = [row[0].ljust(widths[0]), row[1].rjust(widths[1])]
        cells += [row[i].ljust(widths[i]) for i in (2, 3, 4)]
        out.write("  ".join(cells + [row[5]]).rstrip() + "\n")
        if n == 0:
            out.write("  ".join("-" * w for w in widths) + "\n")
