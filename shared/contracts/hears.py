"""Who hears what: all that goes sideways between services, on one page; two services may well hear each other."""

from shared.contract import Fact
from shared.contracts import evaluation, identity, plugins, roster, whistle

PEOPLE = (identity.admitted, identity.moved, identity.suspended, identity.resumed, identity.dismissed)
TREE = (roster.unit_founded, roster.unit_changed, roster.units_merged, roster.unit_split)

HEARS: dict[str, tuple[Fact, ...]] = {
    "identity": (identity.moved, identity.corrected, identity.suspended, identity.dismissed, identity.adjusted)
    + (roster.opened, roster.department_set, *TREE),
    "roster": (*PEOPLE, roster.opened, roster.card_withdrawn, roster.unit_settings_changed, *TREE)
    + (roster.restructuring_planned, roster.plan_dropped),
    # Its own facts, too: of them it keeps what is open, numbers what was blown, and finishes what was cut off.
    "whistle": tuple(whistle.CONTRACT.facts)
    + (roster.opened, roster.settings_changed, roster.unit_settings_changed, *TREE)
    + (roster.appointed, roster.term_ended, roster.leave_taken, roster.leave_ended)
    + (roster.category_set, roster.rule_set, roster.rule_removed, evaluation.rated, evaluation.amended)
    + PEOPLE,
    "evaluation": (whistle.fed_back, whistle.called_off, whistle.words_erased, roster.units_merged),
    # What is counted, and beside it what is only witnessed: each fact's hash, for `make verify`.
    "figures": tuple(whistle.CONTRACT.facts)
    + tuple(evaluation.CONTRACT.facts)
    + tuple(identity.CONTRACT.facts)
    + tuple(roster.CONTRACT.facts)
    + tuple(plugins.CONTRACT.facts),
    # Which departments a district has.
    "plugins": (roster.opened, roster.department_set),
}
