"""Proves that the histories are whole and untouched, or names the first broken link: ``make verify``.

Each record's chain is recomputed and replayed; beside it stand the figures, an independent witness that kept each
fact's hash when it was told: a record or an end that was removed is missed there. What the whistle service shows and
counts as open is compared with the records, too.
"""

import os
import sys
from datetime import timedelta

import pymongo

from deploy.catalogue import stores
from services import proof
from services.identity.store import Security
from services.ledger import Ledger
from services.whistle.store import Open
from shared.caller import Caller
from shared.contracts import CONTRACTS
from shared.running import clock


def ledgers() -> list[type[Ledger]]:
    """Give every ledger of every service."""
    return [store for name in CONTRACTS for store in stores(name) if issubclass(store, Ledger)]


def drop_loose_words(store: Ledger) -> int:
    """Drop what was written for an order that was never saved, a day after; gives how many (PIPL Art. 19).

    Words are saved just before their record: a database that goes away between the two leaves them alone.
    """
    rows, words = store.database[store.collection], store.database[f"{store.collection}_words"]
    loose = 0
    for said in words.find({}, {"record": 1, "at": 1, "said": 1}, batch_size=500):
        # What is untold is noted there too; that is the tellers' to strike.
        if "said" not in said or said["at"] > clock.now() - timedelta(days=1):
            continue
        row = rows.find_one({"_id": said["record"]}, {"history": 1}) or {"history": []}
        if not any(entry.get("words", {}).get("ref") == said["_id"] for entry in row["history"]):
            loose += words.delete_one({"_id": said["_id"]}).deleted_count
    return loose


def verify(client: pymongo.MongoClient, say=print, witness: str = "huying_figures") -> list[str]:
    """Walk all histories; gives the broken links by name, the empty list when all is whole."""
    broken: list[str] = []
    hashes: dict[str, str] = {}
    # The witness is heard before the histories are read: they only grow, so what it knows has to be found in them.
    witnessed = {row["id"]: row["hash"] for bucket in client[witness]["heard"].find({}) for row in bucket["heard"]}
    for kind in ledgers():
        count = links = 0
        store = kind(client[f"huying_{kind.service}"], Caller(), clock.now)
        for row, fault in proof.every(store):
            count, links = count + 1, links + len(row["history"])
            known = {f"{kind.service}/{row['_id']}/{entry['n']}": entry["hash"] for entry in row["history"]}
            if twice := hashes.keys() & known.keys():
                broken.append(f"{min(twice)}: 两件记录同一编号 / two records of one service have one id")
            hashes |= known
            if fault:
                broken.append(fault)
            if sys.stdout.isatty() and count % 200 == 0:
                print(f"\r  {kind.service}.{kind.collection}: {count}", end="", flush=True)
        say(f"\r  {kind.service}.{kind.collection}: {count} 件 / records, {links} 环 / links")
        if loose := drop_loose_words(store):
            say(f"  {kind.service}.{kind.collection}: {loose} 段无主文字已删除 / loose words dropped")
    for id, hash in witnessed.items():
        if hashes.get(id) != hash:
            broken.append(f"{id}: 曾告知,现已缺失或不同 / was told, and is gone or differs now")
    say(f"  figures: {len(witnessed)} 条见证 / witnessed")
    views = Open(client["huying_whistle"], Caller(roles=("timer",)), clock.now).differing()
    say("  whistle.open: 待办与件数已对照 / open work and its counts were compared with the records")
    broken += views
    broken += Security(client["huying_identity"], Caller(), clock.now).broken()
    say("  identity.security: 安全日志已核验 / the security log was read")
    return broken


def main() -> None:
    """Verify and say so; the exit code is 1 when a link is broken."""
    client: pymongo.MongoClient = pymongo.MongoClient(os.environ["MONGO_URI"], tz_aware=True)
    broken = verify(client)
    if broken:
        raise SystemExit("第一处断裂 / first broken link:\n  " + "\n  ".join(broken[:20]))
    print("历史完整,未被改动 / every history is whole and untouched")


if __name__ == "__main__":
    main()
