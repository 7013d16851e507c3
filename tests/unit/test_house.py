"""Each line stands where it belongs, and the house stays as small as it was meant to be."""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("shared", "services", "gateway", "deploy", "tests")
NOT_OURS = {"var", "node_modules", "build", "dist"}
VAGUE = set("utils util common helpers helper misc manager base core impl handler handlers factory".split())  # noqa: SIM905
BUDGET = 650

# What a domain may know of ours; a Caller is a value like any other.
KNOWN_TO_DOMAINS = ("shared.caller", "shared.contract", "shared.contracts", "shared.errors", "shared.rules")
PURE_LIBRARIES = {"chinese_calendar"}
# Parts of the standard library that look at the world, or at chance.
WORLDLY = set(
    "asyncio ftplib glob http io logging multiprocessing os pathlib queue random sched secrets select selectors shutil "  # noqa: SIM905
    "signal smtplib socket sqlite3 ssl subprocess sys tempfile threading time urllib uuid".split()
)
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter", "uuid1", "uuid4", "localtime"}
WORLD_CALLS = {"open", "print", "input", "eval", "exec", "__import__"}

NAMEKO = {"nameko", "kombu", "amqp", "eventlet"}
KNOW_NAMEKO = {"services/entrypoints.py", "shared/hearing.py"}
# Green threads and the broker's connection: what a process of ours stands on, and the plug-ins' door with it.
KNOW_THE_GROUND = {"services/entrypoints.py", "services/process.py", "services/inserts.py", "services/epochs.py"}
KNOW_THE_GROUND |= {"deploy/serve.py"}
KNOW_THE_GROUND |= {"services/plugins/door.py", "services/plugins/aside.py"}
# What all services stand on beside shared/, and no service itself.
GROUND = ("services.entrypoints", "services.ledger", "services.process", "services.proof", "services.tables")
# What the ground itself is made of; of it no service stands on inserts directly.
UNDERGROUND = ("services.inserts", "services.epochs", "services.entrypoints", "services.ledger")
PIKA_IS_KNOWN_TO = {"shared/bus.py"}

WRITES = {"insert_one", "insert_many", "update_one", "update_many", "replace_one", "bulk_write", "delete_one"}
WRITES |= {"delete_many", "find_one_and_update", "find_one_and_replace", "find_one_and_delete"}

IDENTITY = "services/identity/store"

# Who reads across districts, and why. A new line here is a decision: say the reason, and expect to be asked.
WIDE = {
    **{
        f"services/epochs.py:Epochs.{name}": "a process notes what it has not told yet, whichever district's"
        for name in ("__init__", "begin", "strike")
    },
    "services/epochs.py:claim": "a timer tells what was saved and not told, whichever district's",
    "services/epochs.py:saved_under": "a timer tells what was saved and not told, whichever district's",
    "services/epochs.py:settle": "a timer strikes what it has told, whichever district's",
    "services/process.py:Process.__init__": "opens the service's own database",
    "services/proof.py:every": "`make verify` proves every history",
    "services/tables/store.py:Tables.beside": "hands the service's database to another of its stores, narrowed alike",
    "services/tables/store.py:Tables.claim": "a timer carries out what was checked, whichever district's",
    "services/whistle/store/open.py:Open.due": "a timer rings what is due, whichever district's",
    "services/whistle/store/open.py:Open.differing": "`make verify` compares all that is open with the records",
    "services/whistle/store/register.py:Handovers.due": "a timer passes on what is left, whichever district's",
    "services/whistle/store/whistles.py:Photos.due": "a timer looks at photos that nobody shows, whichever district's",
    f"{IDENTITY}/people.py:Revocations.since": "a gateway refuses whoever was revoked, of every district",
    f"{IDENTITY}/people.py:Roles.here": "at sign-in the district is that of the person who comes",
    f"{IDENTITY}/accounts.py:Accounts.find": "a login is one across all districts",
    f"{IDENTITY}/accounts.py:Accounts.linked": "the provider's name for somebody is one across all districts",
    f"{IDENTITY}/accounts.py:Accounts.behind": "a renewal names its session, not its district",
    f"{IDENTITY}/accounts.py:Accounts.person": "at sign-in the district is not known yet",
    f"{IDENTITY}/accounts.py:Accounts.spend_code": "at sign-in the district is not known yet",
    f"{IDENTITY}/accounts.py:Accounts.begin_try": "tries are of a login, which may be nobody's",
    f"{IDENTITY}/accounts.py:Accounts.forgive": "tries are of a login, which may be nobody's",
    f"{IDENTITY}/accounts.py:Accounts.begin_session": "an operator's session is of no district",
    f"{IDENTITY}/accounts.py:Accounts.renew": "a renewal names its session, not its district",
    f"{IDENTITY}/accounts.py:Accounts.end": "a session is ended by its id",
    f"{IDENTITY}/accounts.py:Accounts.end_all": "deletes in the caller's district, which it names itself",
    f"{IDENTITY}/accounts.py:Accounts.begin_journey": "whoever goes to the provider is nobody yet",
    f"{IDENTITY}/accounts.py:Accounts.finish_journey": "whoever goes to the provider is nobody yet",
    f"{IDENTITY}/accounts.py:Accounts.wait_halfway": "whoever comes back from the provider is not signed in yet",
    f"{IDENTITY}/accounts.py:Accounts.halfway": "whoever comes back from the provider is not signed in yet",
    f"{IDENTITY}/accounts.py:Accounts.leave_halfway": "whoever comes back from the provider is not signed in yet",
    f"{IDENTITY}/security.py:Security.write": "a sign-in is logged in the district of the account, or of none",
    f"{IDENTITY}/security.py:Security.grown": "a timer seals books, in which all districts are",
    f"{IDENTITY}/security.py:Security.broken": "`make verify` proves the whole log",
    f"{IDENTITY}/tables.py:PeopleTables.known": "a login is one across all districts: another's is taken too",
    f"{IDENTITY}/tables.py:PeopleTables.let_go": "deletes in the caller's district, which it names itself",
    "services/roster/store/claims.py:Claims.let_go": "deletes by its own mark, and by keys that name the district",
    "services/roster/store/units.py:Units.due": "a timer carries out what was planned, whichever district's",
    "services/plugins/store.py:PlugIns.everywhere": "the door and a timer follow the plug-ins of every district",
    "services/plugins/door.py:Door.look": "hands the service's database to the store of plug-ins",
    "services/roster/store/districts.py:Districts.all_open": "an operator sees every district that is open",
}
# Who also writes there: what a timer claims, sessions and secrets, which are nobody's records, and the log.
WRITES_WIDE = {
    *(f"services/epochs.py:{name}" for name in ("Epochs.begin", "claim", "settle")),
    "services/tables/store.py:Tables.claim",
    *(f"{IDENTITY}/accounts.py:Accounts.{name}" for name in ("begin_session", "renew", "end", "end_all")),
    *(f"{IDENTITY}/accounts.py:Accounts.{name}" for name in ("spend_code", "begin_try", "forgive")),
    *(f"{IDENTITY}/accounts.py:Accounts.{name}" for name in ("begin_journey", "finish_journey")),
    *(f"{IDENTITY}/accounts.py:Accounts.{name}" for name in ("wait_halfway", "leave_halfway")),
    f"{IDENTITY}/security.py:Security.write",
    f"{IDENTITY}/tables.py:PeopleTables.let_go",
    "services/roster/store/claims.py:Claims.let_go",
}
# The seam itself: the ledger is what narrows, so it alone holds the database in its hands; the rows that it has made
# are inserted together with others' by its process.
SEAM = ("services/ledger.py", "services/inserts.py", "services/epochs.py")
NARROWS = ("services/ledger.py", "services/entrypoints.py")
OPENS_MONGO = {"services/process.py", "services/entrypoints.py"}


def files(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in found if "__pycache__" not in path.parts]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Give the line and the full name of each import, also those within functions and relative ones."""
    package = list(path.relative_to(ROOT).with_suffix("").parts)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: -node.level]) + "." if node.level else ""
            module = (start + (node.module or "")).rstrip(".")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def is_within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def functions(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Give each function of a file as ``Class.function``; what is nested belongs to the one around it."""

    def walk(node: ast.AST, above: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name(path)}:{above}{child.name}", child
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, f"{above}{child.name}.")
            else:
                yield from walk(child, above)

    return walk(tree(path), "")


def calls(node: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Give each call below a node with the last word of what is called."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            called = each.func
            yield each, called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def code_lines(path: Path) -> int:
    """Count the lines that hold code: no blank line, no comment, no docstring."""
    text, spoken = path.read_text(encoding="utf-8"), set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                spoken |= set(range(first.lineno, first.end_lineno + 1))
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in silent:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - spoken)


def say(wrong: list[str], rule: str) -> None:
    assert not wrong, f"{rule}\n  " + "\n  ".join(wrong)


def domains() -> list[Path]:
    whole = files("services")
    return [path for path in whole if path.name == "domain.py" or "domain" in path.relative_to(ROOT).parts[:-1]]


def is_store(path: Path) -> bool:
    """Say whether a file is a service's store: ``store.py``, or one file of a ``store/`` that has outgrown it."""
    parts = path.relative_to(ROOT).parts
    return parts[0] == "services" and (path.name == "store.py" or "store" in parts[:-1])


def comments(path: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("#").strip()


def is_code(text: str) -> bool:
    """Guess whether a comment is code that was put to sleep: it parses, and it would do something."""
    for form in (text, text + "\n    pass", "if True:\n    pass\n" + text + "\n    pass"):
        try:
            body = ast.parse(form).body
        except (SyntaxError, ValueError):
            continue
        spoken = ast.Name, ast.Constant, ast.Tuple, ast.Compare, ast.BinOp, ast.BoolOp, ast.Attribute, ast.UnaryOp
        return any(not isinstance(each, ast.AnnAssign | ast.Expr) or not is_spoken(each, spoken) for each in body)
    return False


def is_spoken(statement: ast.AST, spoken: tuple) -> bool:
    # `reason: a word` parses as an annotation, and `one, two` as a tuple: both are ordinary English.
    value = statement.value if isinstance(statement, ast.Expr) else None
    return (isinstance(statement, ast.AnnAssign) and statement.value is None) or isinstance(value, spoken)


def test_there_is_a_house_to_look_at():
    assert len(files("shared")) > 10 and len(files("services")) > 5 and len(files("gateway")) > 5
    assert len(domains()) >= 3


def test_imports_point_one_way():
    wrong = []
    for path in files("shared", "services", "gateway"):
        home = path.relative_to(ROOT).parts
        for line, module in imports(path):
            here = f"{name(path)}:{line} imports {module}"
            if is_within(module, "deploy", "tests"):
                wrong.append(f"{here}: nothing that runs knows how it is started or tested")
            elif home[0] == "shared" and is_within(module, "services", "gateway"):
                wrong.append(f"{here}: shared knows neither side")
            elif home[0] == "gateway" and is_within(module, "services"):
                wrong.append(f"{here}: the gateway asks services by the bus")
            elif home[0] == "services" and is_within(module, "gateway"):
                wrong.append(f"{here}: a service does not know who asks")
            elif (
                home[0] == "services"
                and is_within(module, "services")
                and not is_within(module, f"services.{Path(home[1]).stem}", *(GROUND if len(home) > 2 else UNDERGROUND))
            ):
                wrong.append(f"{here}: a service hears another's facts, and never imports it")
    say(wrong, "services → shared ← gateway (house.md §2)")


def test_rules_and_domains_know_no_clock_no_store_and_no_chance():
    wrong = []
    for path in domains() + files("shared/rules"):
        home = path.relative_to(ROOT).parts
        own = f"{home[0]}.{home[1]}.domain" if "domain" in home[:-1] else "shared.rules"
        allowed = (*KNOWN_TO_DOMAINS, own) if home[0] == "services" else ("shared.errors", "shared.rules")
        for line, module in imports(path):
            top = module.partition(".")[0]
            pure = top in PURE_LIBRARIES or (top in sys.stdlib_module_names and top not in WORLDLY)
            if not pure and not is_within(module, *allowed):
                wrong.append(f"{name(path)}:{line} imports {module}: give it as an argument instead")
        for call, called in calls(tree(path)):
            plain = isinstance(call.func, ast.Name)
            if (plain and called in WORLD_CALLS) or (not plain and called in CLOCKS):
                wrong.append(f"{name(path)}:{call.lineno} calls {ast.unparse(call.func)}(): `now` is an argument")
    say(
        wrong,
        f"A rule is pure. Allowed: {', '.join(KNOWN_TO_DOMAINS)}, {', '.join(PURE_LIBRARIES)}, pure standard library",
    )


def test_one_file_knows_the_insides_of_nameko():
    wrong = []
    for path in files("shared", "services", "gateway", "deploy"):
        for line, module in imports(path):
            top = module.partition(".")[0]
            if top in NAMEKO and name(path) not in (KNOW_NAMEKO if top == "nameko" else KNOW_THE_GROUND):
                wrong.append(f"{name(path)}:{line} imports {module}")
            if top == "pika" and name(path) not in PIKA_IS_KNOWN_TO and not name(path).startswith("deploy/"):
                wrong.append(f"{name(path)}:{line} imports {module}")
    say(
        wrong,
        f"nameko only in {', '.join(sorted(KNOW_NAMEKO))}; kombu and eventlet in {', '.join(sorted(KNOW_THE_GROUND))}; "
        "pika in shared/bus.py",
    )


def collections_of(node: ast.AST) -> set[str]:
    """Name the collections that an expression opens: ``self.rows("x")``, ``self.wide("x")``, ``….database["x"]``."""
    found = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in ("rows", "wide"):
            found |= {one.value for one in each.args if isinstance(one, ast.Constant)}
        if isinstance(each, ast.Subscript) and ast.unparse(each.value).endswith("database"):
            found |= {each.slice.value} if isinstance(each.slice, ast.Constant) else {ast.unparse(each.slice)}
    return found


def ledger_collections() -> set[str]:
    """Name the collections that hold records: each that a subclass of Ledger names, and its words beside it."""
    found = set()
    for path in files("services"):
        for kind in (node for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)):
            if "Ledger" not in {getattr(parent, "id", "") for parent in kind.bases}:
                continue
            for node in (node for node in kind.body if isinstance(node, ast.Assign)):
                names, values = node.targets[0], node.value
                pairs = zip(names.elts, values.elts, strict=True) if isinstance(names, ast.Tuple) else [(names, values)]
                found |= {value.value for target, value in pairs if getattr(target, "id", "") == "collection"}
    return found | {f"{each}_words" for each in found}


def test_only_the_ledger_writes_records():
    records, wrong = ledger_collections(), []
    assert {"whistles", "whistles_words", "districts", "people"} <= records
    for path in files("shared", "services", "gateway"):
        if name(path) in SEAM:
            continue
        for where, function in functions(path):
            for call, called in calls(function):
                if called not in WRITES or not isinstance(call.func, ast.Attribute):
                    continue
                opened = collections_of(call.func.value) or collections_of(function)
                if not is_store(path):
                    wrong.append(f"{where} line {call.lineno} calls {called}: only a store speaks to Mongo")
                elif opened & records:
                    wrong.append(
                        f"{where} line {call.lineno} calls {called} on {opened & records}: tell the ledger a fact"
                    )
    say(wrong, "A record changes by `begin` and `change` of its ledger, and in no other way (house.md §3)")


def test_only_stores_speak_mongo():
    wrong = []
    for path in files("shared", "services", "gateway"):
        for line, module in imports(path):
            speaks = module.partition(".")[0] in ("pymongo", "bson", "gridfs")
            if speaks and not is_store(path) and name(path) not in (*SEAM, *OPENS_MONGO):
                wrong.append(f"{name(path)}:{line} imports {module}")
    say(wrong, f"Mongo is asked in services/*/store and {', '.join(SEAM)} (and opened by services/entrypoints.py)")


def wide_doors() -> dict[str, bool]:
    """Give every function that reaches past its district, and whether it writes there."""
    found = {}
    for path in files("shared", "services", "gateway"):
        for where, function in functions(path):
            opened = any(called == "wide" for _, called in calls(function))
            named = {id(node.value) for node in ast.walk(function) if getattr(node, "attr", "") == "name"}
            held = any(
                isinstance(node, ast.Attribute) and node.attr == "database" and id(node) not in named
                for node in ast.walk(function)
            )
            if opened or (held and name(path).startswith("services/") and name(path) not in NARROWS):
                found[where] = any(called in WRITES for _, called in calls(function))
    return found


def test_the_wide_door_is_used_by_those_who_are_named_and_by_nobody_else():
    doors = wide_doors()
    say(sorted(set(doors) - set(WIDE)), "Reads across districts without being named in WIDE, with its reason:")
    say(sorted(set(WIDE) - set(doors)), "Named in WIDE and reads wide no more: take it out of the list")


def test_who_reads_wide_does_not_write_there():
    writers = {where for where, writes in wide_doors().items() if writes}
    say(
        sorted(writers - WRITES_WIDE),
        "Writes where it should only read (A4: read-only except for what a timer claims):",
    )
    say(sorted(WRITES_WIDE - writers), "Named in WRITES_WIDE and writes no more: take it out of the list")


def test_no_path_has_a_name_that_says_nothing():
    wrong = []
    ours = [path for path in ROOT.iterdir() if path.name not in NOT_OURS and not path.name.startswith(".")]
    for path in ours + [path for folder in ours if folder.is_dir() for path in folder.rglob("*")]:
        parts = path.relative_to(ROOT).parts
        if any(part.startswith(".") or part == "__pycache__" for part in parts):
            continue
        if VAGUE & set(re.split(r"[^a-z]+", parts[-1].lower())):
            wrong.append(path.relative_to(ROOT).as_posix())
    say(wrong, f"Name it for what it is for; none of: {', '.join(sorted(VAGUE))}")


def test_every_module_opens_with_one_sentence():
    wrong = []
    for path in files(*OURS):
        if not path.read_text(encoding="utf-8").strip():
            wrong += [] if path.name == "__init__.py" else [f"{name(path)} is empty"]
            continue
        said = ast.get_docstring(tree(path))
        first = " ".join((said or "").split("\n\n")[0].split())
        if not said:
            wrong.append(f"{name(path)} says nothing")
        elif not re.search(r"[.。!?]$", first):
            wrong.append(f"{name(path)} opens with what is no sentence: {first[:90]}")
        elif re.search(r"(?<!Art)[.!?] +[A-Z]|。.", first):
            wrong.append(f"{name(path)} opens with more than one sentence: {first[:90]}")
    say(wrong, "The first paragraph of a module is one sentence that says what it is for (house.md §10)")


def test_nothing_is_left_for_later():
    later = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    wrong = [
        f"{name(path)}:{line} {text.strip()[:90]}"
        for path in files(*OURS)
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if later.search(text)
    ]
    say(wrong, "Do it, or make it an issue")


def test_no_code_is_put_to_sleep_in_a_comment():
    wrong = [
        f"{name(path)}:{line} # {text[:90]}"
        for path in files(*OURS)
        for line, text in comments(path)
        if not text.startswith(("noqa", "type:", "fmt:", "!", "ruff:")) and is_code(text)
    ]
    say(wrong, "git remembers code that is gone")


@pytest.mark.parametrize(
    ("text", "asleep"),
    [
        ("x = 1", True),
        ("photos.add(one)", True),
        ("return None", True),
        ("import os", True),
        ("for each in all:", True),
        ("else:", True),
        ("a race", False),
        ("reason: a word", False),
        ("one, two", False),
        ("RFC 9562", False),
        ("seconds", False),
        ("Right on 3.10, and on 4.x.", False),
    ],
)
def test_the_guess_about_sleeping_code_is_a_good_one(text, asleep):
    assert is_code(text) is asleep


def test_shared_stays_within_its_budget():
    counted = {name(path): code_lines(path) for path in files("shared") if "contracts" not in path.parts}
    total = sum(counted.values())
    table = "\n  ".join(f"{lines:4} {path}" for path, lines in sorted(counted.items(), key=lambda pair: -pair[1]))
    assert total <= BUDGET, f"shared/ without contracts: {total} lines of code, {BUDGET} allowed\n  {table}"
    assert total > 300, f"the count itself is wrong: {total}"


def test_the_count_of_lines_leaves_out_what_is_not_code(tmp_path):
    sample = tmp_path / "sample.py"
    sample.write_text(
        '"""Doc\nmore."""\n\n# why\nx = (\n    1,\n)\n\n\ndef f():\n    """Doc."""\n    return """a\nb"""  # end\n'
    )
    assert code_lines(sample) == 6
