"""Rules that are fixed before the data: what of a claim is fixed, and from which seeds on."""

import json

from clinometer.studies.claims import Claim
from clinometer.training.files import digest_of as digest_of_bytes

CONFIRMATORY = 100  # the first seed that may confirm; those below are for pilots, from which rules are made
STATISTIC_VERSION = "1"


def digest_of(claim: Claim) -> str:
    """The SHA-256 of what decides a claim: its statement, its rule in words, the rule's bounds, and the statistic.

    The code that computes the samples is not in it. A change of that code that changes the rule must change its words.

    Example:
        >>> from clinometer.studies.claims import no_evidence
        >>> claim = Claim("C1", "it is positive", "", "above 0", (), lambda *_: no_evidence(""), {"bound": 0})
        >>> stricter = Claim("C1", "it is positive", "", "above 0", (), claim.compare, {"bound": 0.1})
        >>> len(digest_of(claim)), digest_of(claim) == digest_of(stricter)
        (64, False)
    """
    fixed = {
        "statement": claim.statement,
        "rule": claim.rule,
        "bounds": {name: float(value) for name, value in claim.bounds.items()},
        "statistic": STATISTIC_VERSION,
    }
    return digest_of_bytes(json.dumps(fixed, sort_keys=True).encode())
