"""When schedules come, by croniter and the system's zone data. Nothing of evenkeel is in here.

croniter walks the calendar without a zone; which instants a clock on the wall shows such a time at is asked of the zone
data; and on the days on which clocks change, the rule of docs/schedules.md says what follows. Reads JSON from standard
input: {"from": S, "to": S, "schedules": [[EXPRESSION, ZONE], ...]} in seconds since 1970, and writes
{"version": V, "changes": {ZONE: [[S, OFFSET], ...]}, "ticks": [[S, ...], ...], "on_days_of_change": N}.
"""

import json
import sys
import zoneinfo
from datetime import datetime, timedelta, timezone

from croniter import croniter

# Not what a package may have brought.
SYSTEM = "/usr/share/zoneinfo"
zoneinfo.reset_tzpath([SYSTEM])
DAYS = timedelta(days=2)


def version():
    with open(f"{SYSTEM}/tzdata.zi", encoding="utf-8") as data:
        return data.readline().split()[-1]


def utc(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc)


def offset(zone, seconds):
    return int(utc(seconds).astimezone(zone).utcoffset().total_seconds())


def changes(zone, first, last):
    """The first second of each offset within, and what it is."""
    found = [(first, offset(zone, first))]
    for hour in range(first + 3600, last + 1, 3600):
        if offset(zone, hour) != found[-1][1]:
            same, other = hour - 3600, hour
            while other - same > 1:
                middle = (same + other) // 2
                if offset(zone, middle) == found[-1][1]:
                    same = middle
                else:
                    other = middle
            found.append((other, offset(zone, other)))
    return found


def walk(expression, first, last):
    """Without a zone, as seconds since 1970 if it were UTC."""
    begin = utc(first).replace(tzinfo=None) - DAYS
    end = utc(last).replace(tzinfo=None) + DAYS
    options = {"implement_cron_bug": True, "second_at_beginning": True}
    ticks = croniter(expression, begin, **options)
    found = []
    while True:
        # It gives up on what does not come for some years.
        tick = ticks.get_next(datetime)
        if tick > end:
            return found
        found.append(int(tick.replace(tzinfo=timezone.utc).timestamp()))


def goes_on(expression):
    """The minute or the hour starts with a star."""
    if expression.startswith("@"):
        return expression == "@hourly"
    fields = expression.split()
    minute, hour = fields[-5], fields[-4]
    return minute.startswith("*") or hour.startswith("*")


def instants(local, all_changes):
    """At which a clock shows `local`, and the change that skips it, if one does."""
    shown = []
    for n, (begin, offset_) in enumerate(all_changes):
        end = all_changes[n + 1][0] if n + 1 < len(all_changes) else None
        at = local - offset_
        if (n == 0 or at >= begin) and (end is None or at < end):
            shown.append(at)
    skipped = None
    for (_, before), (begin, after) in zip(all_changes, all_changes[1:]):
        if begin + before <= local < begin + after:
            skipped = begin
    return shown, skipped


def by_the_rule(locals_, all_changes, is_going_on):
    found = set()
    for local in locals_:
        shown, skipped = instants(local, all_changes)
        if is_going_on:
            found.update(shown)
        elif shown:
            found.add(min(shown))
        elif skipped is not None:
            found.add(skipped)
    return sorted(found)


def main():
    asked = json.load(sys.stdin)
    first, last = asked["from"], asked["to"]
    walked, changed, ticks, near = {}, {}, [], 0
    for expression, name in asked["schedules"]:
        if expression not in walked:
            walked[expression] = walk(expression, first, last)
        if name not in changed:
            zone = zoneinfo.ZoneInfo(name)
            changed[name] = changes(zone, first - 4 * 86400, last + 4 * 86400)
        found = by_the_rule(walked[expression], changed[name], goes_on(expression))
        found = [tick for tick in found if first < tick <= last]
        days = [begin // 86400 for begin, _ in changed[name][1:]]
        near += sum(1 for tick in found if any(abs(tick // 86400 - day) <= 1 for day in days))
        ticks.append(found)
    json.dump(
        {"version": version(), "changes": changed, "ticks": ticks, "on_days_of_change": near},
        sys.stdout,
    )


main()
