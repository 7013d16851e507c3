"""An erasure is told late, or told again: what was written after it stays."""

import time

from tests.make import eventually, fresh, solved


def test_words_written_after_an_erasure_survive_its_being_told_again(platform, wmy, chengguan, sign_in):
    id = wmy.blow()["id"]
    path = f"/v1/whistles/{id}"
    solved(id, wmy, chengguan)
    time.sleep(1.2)  # told and struck so far: only the erasure is untold when its teller dies
    assert sign_in("xc-admin").erase(id).status_code == 201
    platform.kill("whistle")
    settled = {"act": fresh(), "note": "删除之后写的销哨说明"}

    def is_settled() -> bool:
        return wmy.settle(id, **settled).status_code == 201

    eventually(is_settled, 20, every=0.3)
    log = platform.home / "logs" / "whistle.log"

    def told_again() -> bool:
        lines = [line for line in log.read_text().splitlines() if '"on words_erased"' in line and id in line]
        return len(lines) >= 1

    eventually(told_again, 20)
    time.sleep(2)
    seen = wmy.get(path).json()
    assert seen["settlement"]["note"] == settled["note"]
    assert seen["words"]["erased"]["reason"] == "requested"
    history = wmy.get(f"{path}/history").json()
    assert history["whole"], history["broken"]


def test_words_written_while_an_erasure_is_on_its_way_survive_it(wmy, chengguan, sign_in):
    import threading

    admin = sign_in("xc-admin")
    for _ in range(8):
        id = wmy.blow()["id"]
        path = f"/v1/whistles/{id}"
        solved(id, wmy, chengguan)
        erasing = threading.Thread(target=admin.erase, args=(id,))
        erasing.start()
        answer = wmy.settle(id, note="同时写的")
        erasing.join()
        assert answer.status_code == 201
    time.sleep(6)  # longer than a teller's lease: whatever is told again has been
    history = wmy.get(f"{path}/history").json()
    assert history["whole"], history["broken"]
