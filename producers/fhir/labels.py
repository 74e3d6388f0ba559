"""Sensitivity labels in FHIR: codes of `meta.security` and of a consent's provision, to and from ours.

Comes in: resources, or our labels. Goes out: our labels, or codings. Must never lose a label: a code that nobody here
knows, or a restricted record that does not say why, is as restricted as anything can be.
Sources: HL7 v3 ActCode (InformationSensitivityPolicy), v3 Confidentiality, the DS4P implementation guide.
"""

from collections.abc import Iterable
from typing import Any

from producers.fhir.bundle import Resource
from producers.fhir.reading import Node
from referrals import words
from referrals.labels import NOTICE, notice

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
NOTICE_URL = "urn:refex:redisclosure-notice"
SECURITY_LABELS = {
    **dict.fromkeys(("ETH", "ETHUD", "OPIOIDUD", "SUD", "SUDINF", "42CFRPart2", "ALCUD"), "part2"),
    **dict.fromkeys(("VIO", "SDV", "DVD", "DV", "IPV", "SEV"), "violence"),
    **dict.fromkeys(("BH", "PSY", "PSYTHPN", "MH", "EMOTDIS", "BHINF"), "behavioral-health"),
    "MINOR-CONSENTED": "minor-consented",
}
LABELS = {label: code for code, label in reversed(SECURITY_LABELS.items())}
# Above normal; the others of v3 Confidentiality (U, L, M, N) say nothing more.
RESTRICTED = frozenset({"R", "V"})
# Systems whose codes say what may be done with a record, or how sure it is; not how sensitive it is.
OTHER_SYSTEMS = ("v3-ActReason", "v3-ObservationValue", "provenance-participant-type", "iso-21089")
# Codes of v3 ActCode that are obligations or refrain policies: what a recipient must do, not what it is about.
POLICIES = frozenset(
    {
        *(
            "ANONY",
            "AOD",
            "AUDIT",
            "AUDTR",
            "CPLYCC",
            "CPLYCD",
            "CPLYJPP",
            "CPLYOPP",
            "CPLYOSP",
            "CPLYPOL",
            "DEID",
        ),
        *(
            "DECLASSIFYLABEL",
            "DELAU",
            "DOWNGRDLABEL",
            "DRIVLABEL",
            "ENCRYPT",
            "ENCRYPTR",
            "ENCRYPTT",
            "ENCRYPTU",
        ),
        *("HUAPRV", "LABEL", "MASK", "MINEC", "PERSISTLABEL", "PRIVMARK", "PSEUD", "REDACT", "UPGRDLABEL"),
        *(
            "NOAUTH",
            "NOCOLLECT",
            "NODSCLCD",
            "NODSCLCDS",
            "NOINTEGRATE",
            "NOLIST",
            "NOMOU",
            "NOORGPOL",
            "NOPAT",
        ),
        *("NOPERSISTP", "NORDSCLCD", "NORDSCLCDS", "NOREUSE", "NOVIP", "ORCON"),
    }
)


def sensitivity(*resources: Resource | None) -> list[str]:
    """Sensitivity from the security labels of the resources and of a consent's provision."""
    given = [label for resource in resources if resource is not None for label in _labels(resource)]
    found = {SECURITY_LABELS[code] for label in given if (code := label.text("code")) in SECURITY_LABELS}
    unsaid = not found and any(_is_restricted(label) for label in given)
    if unsaid or any(_is_unknown(label) for label in given):
        return sorted(words.SENSITIVITIES)
    return sorted(found)


def codings(labels: Iterable[str]) -> list[dict[str, str]]:
    """Our labels as codings, which `sensitivity` reads back; what is part2 may not be disclosed again."""
    said = list(labels)
    found = [{"system": ACT_CODE, "code": LABELS[label]} for label in said]
    return found + ([{"system": ACT_CODE, "code": "NORDSCLCD"}] if notice(said) else [])


def marked(resource: dict[str, Any], labels: Iterable[str]) -> dict[str, Any]:
    """The resource with its labels in `meta.security`, and the redisclosure notice where one is due."""
    said = list(labels)
    if not said:
        return resource
    meta = {**resource.get("meta", {}), "security": codings(said)}
    told = [{"url": NOTICE_URL, "valueString": NOTICE}] if notice(said) else []
    more = {"extension": [*resource.get("extension", []), *told]} if told else {}
    return {**resource, "meta": meta, **more}


def _labels(resource: Resource) -> list[Node]:
    own = resource.child("meta").children("security")
    return [*own, *resource.child("provision").children("securityLabel")]


def _is_restricted(label: Node) -> bool:
    return label.text("code") in RESTRICTED


def _is_unknown(label: Node) -> bool:
    """Whether it may say how sensitive the record is, in a word that nobody here knows."""
    code, system = label.text("code"), label.text("system") or ""
    if code is None or code in SECURITY_LABELS or code in POLICIES or code in RESTRICTED:
        return False
    if system.endswith(OTHER_SYSTEMS) or system == CONFIDENTIALITY:
        return False
    return bool(system) or code not in {"U", "L", "M", "N"}
