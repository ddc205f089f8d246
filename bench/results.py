# SPDX-License-Identifier: MIT
"""What envelope.py has measured, and the arithmetic of it: ratios within a round, medians over the rounds."""

from dataclasses import dataclass
from statistics import median

CLOSED = (16, 64, 256)  # keep-alive connections, each of which asks again when it is answered
NEW = "new"             # a connection for each request
OPEN = "open"           # the challenge's rate
LADDER = tuple(f"open {rate}" for rate in (1000, 2000, 4000, 8000))  # the same, at higher rates: for the picture
COUNTED = "counted"     # the status of each answer, at a price in speed

MEDIANS = ("per_second", "p50_us", "p99_us", "p999_us", "max_us", "batch", "flushes_per_second", "late_p99_us", "late_max_us")


@dataclass(frozen=True)
class Row:
    name: str
    stack: str
    limit: str         # the row of the no-op behind an NGINX with the same share
    loads: tuple
    mix: tuple = ("mix",)


class Results:
    def __init__(self, rows, rounds, limits, disk):
        self.disk = disk  # what it does by itself, in each round that has a load at the challenge's rate
        self.rows = {row.name: row for row in rows}
        self.limits = limits
        self.rounds = [{(seen["row"], seen["load"]): seen for seen in one} for one in rounds]

    def names(self, load):
        return [name for name in self.rows if self.runs(name, load)]

    def runs(self, name, load):
        return [one[name, load] for one in self.rounds if (name, load) in one]

    def all_runs(self, name):
        return [seen for one in self.rounds for (row, _), seen in one.items() if row == name]

    def closed_runs(self, name):
        """Those of wrk."""
        return [seen for seen in self.all_runs(name) if seen["load"] != OPEN and seen["load"] not in LADDER]

    def middle(self, name, load, figure):
        """None where there is no such figure."""
        found = [run[figure] for run in self.runs(name, load) if figure in run]
        return median(found) if found else None

    def ratios(self, name, load, to=None):
        """To the row's limit in the same round, if to nothing else."""
        other = to or self.rows[name].limit
        return [one[name, load]["per_second"] / one[other, load]["per_second"] for one in self.rounds
                if (name, load) in one and (other, load) in one]

    def cpu(self, name, load):
        """µs for each request, by part."""
        runs = self.runs(name, load)
        return {part: median(run["cpu_us"][part] for run in runs) for part in (runs[0]["cpu_us"] if runs else ())}

    def most(self, name, what):
        """Bytes by part, the most that was seen after any measurement."""
        runs = self.all_runs(name)
        return {part: max(run[what][part] for run in runs) for part in runs[0][what]}

    def medians(self):
        found = []
        for name, load in dict.fromkeys(key for one in self.rounds for key in one):
            line = {"row": name, "load": load, "cpu_us": self.cpu(name, load)}
            line.update({figure: self.middle(name, load, figure) for figure in MEDIANS})
            ratios = self.ratios(name, load)
            if ratios:
                line["ratio"], line["ratio_least"], line["ratio_most"] = median(ratios), min(ratios), max(ratios)
            found.append(line)
        return found
