# SPDX-License-Identifier: GPL-2.0-only
"""The figures of a judge, over the seeds of one kind of day. README.md says what the columns are."""
import statistics

import judges

HEAD = ("judge                                 wrong (max)  times lost-mails |  caught before bad-before spam-left"
        " bad-left | abused evaders evader-left | unexplained")


def median(values):
    return statistics.median(values) if values else None


def percent(part, all_of_it):
    return 100 * part / all_of_it if all_of_it else None


def show(value, digits=0):
    return "-" if value is None else f"{value:.{digits}f}"


def suspended(rows):
    return percent(sum(r["n"] > 0 for r in rows), len(rows))


def summary(results):
    """Accounts and mails a day."""
    days = len(results)
    wrong = [sum(r["n"] > 0 for r in d.of("innocent")) for d in results]
    innocent, spam, abused, evaders = ([r for d in results for r in d.of(label)]
                                       for label in ("innocent", "spam", "abused", "evader"))
    caught = [r for r in spam if r["n"]]
    failures = sum(n for d in results for name, n in d.classes.items() if name != "none")
    return dict(
        wrong=sum(wrong) / days,
        wrong_max=max(wrong),
        times=sum(r["n"] for r in innocent) / days,
        lost=sum(r["lost"] for r in innocent) / days,
        caught=percent(len(caught), len(spam)),
        before=median([r["before"] for r in caught]),
        bad_before=median([r["bad_before"] for r in caught]),
        left=sum(r["attempts"] for r in spam) / days,
        spam_bad=sum(r["bad"] for r in spam) / days,
        abused=suspended(abused),
        evaders=suspended(evaders),
        evaders_left=sum(r["attempts"] for r in evaders) / days,
        unexplained=percent(sum(d.classes["unexplained"] for d in results), failures))


def line(name, s):
    return (f"{name[:36]:36s} {s['wrong']:6.1f} {s['wrong_max']:5d} {s['times']:6.1f} {s['lost']:10.0f} | "
            f"{show(s['caught']):>6s}% {show(s['before']):>6s} {show(s['bad_before']):>10s} {s['left']:9.0f} "
            f"{s['spam_bad']:8.0f} | {show(s['abused']):>5s}% {show(s['evaders']):>6s}% {s['evaders_left']:11.0f} | "
            f"{show(s['unexplained'], 1):>10s}%")


def detail(world, results):
    print(f"  {'kind':18s} {'label':9s} {'accounts':>8s} {'suspended':>9s} {'times':>6s} {'lost':>7s} "
          f"{'of mails':>8s} {'first':>8s} {'before':>7s} {'bad bef.':>8s}")
    for kind, (_, label) in world.POPULATION.items():
        rows = [r for d in results for r in d.of(kind=kind)]
        hit = [r for r in rows if r["n"]]
        first = median([r["first"] for r in hit])
        clock = "-" if first is None else f"{int(first) // 3600:02d}:{int(first) // 60 % 60:02d}"
        print(f"  {kind:18s} {label:9s} {len(rows):8d} {show(suspended(rows), 1):>8s}% "
              f"{sum(r['n'] for r in rows):6d} {sum(r['lost'] for r in rows):7d} "
              f"{sum(r['attempts'] for r in rows):8d} {clock:>8s} "
              f"{show(median([r['before'] for r in hit])):>7s} {show(median([r['bad_before'] for r in hit])):>8s}")


def check(name, day, s):
    """Print whether the product keeps judges.BOUNDS, and return it."""
    bound = judges.BOUNDS.get(day, 0)
    kept = s["wrong"] <= bound and (s["caught"] or 0) >= judges.CAUGHT and (s["before"] or 0) <= judges.BEFORE
    print(f"{'ok' if kept else 'not ok'} - {name}, {day}: at most {bound} wrong, {judges.CAUGHT} % caught, "
          f"after {judges.BEFORE} attempts at most")
    return kept
